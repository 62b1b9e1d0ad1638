package trialrunner_test

import (
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

func TestHolderOf(t *testing.T) {
	secret, key := []byte("secret"), experiment.Key{Namespace: "a", Name: "b\x00\"c"}
	right := trialrunner.Token(secret, key, "u", "t", 2)
	holder, proof, _ := strings.Cut(right, ".")
	other, _, _ := strings.Cut(trialrunner.Token(secret, key, "u", "t", 3), ".")
	for _, tt := range []struct {
		name, token string
		want        bool
	}{
		{"right", right, true},
		{"empty", "", false},
		{"a point alone", ".", false},
		{"without proof", holder + ".", false},
		{"cut", right[:len(right)-1], false},
		{"of another attempt", other + "." + proof, false},
		{"of another secret", trialrunner.Token([]byte("x"), key, "u", "t", 2), false},
		{"of no secret", trialrunner.Token(nil, key, "u", "t", 2), false},
	} {
		got, ok := trialrunner.HolderOf(secret, tt.token)
		want := trialrunner.Holder{}
		if tt.want {
			want = trialrunner.Holder{Namespace: "a", Experiment: key.Name, UID: "u", Trial: "t", Attempt: 2}
		}
		if ok != tt.want || got != want || ok && got.Key() != key {
			t.Errorf("%s: got %+v, %v; want %+v, %v", tt.name, got, ok, want, tt.want)
		}
	}
}
