package algorithms

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func TestNew(t *testing.T) {
	space, err := searchspace.New([]searchspace.Parameter{
		{Name: "n", Kind: searchspace.Int, Max: 3}, {Name: "x", Kind: searchspace.Categorical, Values: []string{"a"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	built := func(Problem, Values) (Suggester, error) { return nil, nil }
	refuse := func(Problem, Values) error { return refused }
	tests := []struct {
		name string
		def  Definition
		is   error
		want string
	}{
		{"all kinds", Definition{Name: "a", New: built}, nil, ""},
		{"its kinds", Definition{Name: "a", New: built, Kinds: []searchspace.Kind{searchspace.Int, searchspace.Categorical}}, nil, ""},
		{
			"another kind",
			Definition{Name: "a", New: built, Kinds: []searchspace.Kind{searchspace.Int}},
			nil,
			"algorithm a: parameters[1] (x): categorical parameters are not supported",
		},
		{"not built", Definition{Name: "a"}, ErrNotBuilt, `algorithm "a" is not built yet: use bayesianoptimization, tpe or random`},
		{"check before not built", Definition{Name: "a", Check: refuse}, refused, "algorithm a: refused"},
		{"New fails", Definition{Name: "a", New: func(Problem, Values) (Suggester, error) { return nil, refused }}, refused, "algorithm a: refused"},
	}
	for _, tt := range tests {
		_, err := New(tt.def, Problem{Space: space}, nil)
		if (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestValues(t *testing.T) {
	v := Values{"n": int64(3), "x": 0.5, "s": "text"}
	got := []any{v.Int("n", 1), v.Float("x", 1), v.Text("s", ""), v.Int("none", 1), v.Float("none", 2), v.Text("none", "no"), v.Int("x", 4)}
	if diff := cmp.Diff(got, []any{int64(3), 0.5, "text", int64(1), 2.0, "no", int64(4)}); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownSettingOfAnAlgorithmWithoutAny(t *testing.T) {
	_, err := Parse(Definition{Name: "a"}, []RawSetting{{"x", "1"}}, "")
	if err == nil || !strings.Contains(err.Error(), `unknown setting "x", there are none`) {
		t.Errorf("got %v", err)
	}
}
