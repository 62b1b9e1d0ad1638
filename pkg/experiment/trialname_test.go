package experiment

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func TestTrialName(t *testing.T) {
	tests := []struct{ experiment, want string }{
		{"mnist", "^mnist-[bcdfghjklmnpqrstvwxz2456789]{8}$"},
		{"Some_Name", "^some-name-.{8}$"},
		{strings.Repeat("a", 70), "^a{54}-.{8}$"},
		{strings.Repeat("a", 53) + "-b", "^a{53}-.{8}$"},
		{"", "^trial-.{8}$"},
		{"--ä", "^trial-.{8}$"},
	}
	for _, tt := range tests {
		if got := TrialName(tt.experiment, "uid", 1); !regexp.MustCompile(tt.want).MatchString(got) {
			t.Errorf("%q: got %q, want %s", tt.experiment, got, tt.want)
		}
	}
	// Names are kept in stores and on clusters: they must never change.
	for number, want := range map[uint64]string{1: "mnist-hv9zjll9", 100000: "mnist-tggg7lrr"} {
		if got := TrialName("mnist", "4c1d", number); got != want {
			t.Errorf("number %d: got %q, want %q", number, got, want)
		}
	}
}

func TestTrialNamesNeverCollide(t *testing.T) {
	const trials = 20_000
	seen := make(map[string]uint64, 2*trials)
	for _, start := range []uint64{1, 1 << 32} {
		for n := start; n < start+trials; n++ {
			name := TrialName("e", "uid", n)
			if other, twice := seen[name]; twice {
				t.Fatalf("trials %d and %d are both %s", other, n, name)
			}
			seen[name] = n
		}
	}
	if TrialName("e", "a", 1) == TrialName("e", "b", 1) {
		t.Error("the uid makes no difference")
	}
}

func TestTrialNameIsALabel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := TrialName(rapid.String().Draw(t, "experiment"), rapid.String().Draw(t, "uid"), rapid.Uint64().Draw(t, "number"))
		if !dnsLabel.MatchString(name) {
			t.Fatalf("%q is no DNS label", name)
		}
	})
}

func TestFindTrial(t *testing.T) {
	trials := make([]Trial, 12)
	for i := range trials {
		trials[i] = Trial{Number: uint64(i + 1), Name: TrialName("e", "uid", uint64(i+1))}
	}
	for text, want := range map[string]uint64{
		"1": 1, "2": 2, "12": 12, trials[1].Name: 2,
		"0": 0, "13": 0, "-1": 0, "01": 0, "1.0": 0, "": 0, "e": 0, trials[1].Name[:9]: 0,
	} {
		got, ok := FindTrial(trials, text)
		if got.Number != want || ok != (want > 0) {
			t.Errorf("%q: got trial %d, %v; want %d", text, got.Number, ok, want)
		}
	}
}
