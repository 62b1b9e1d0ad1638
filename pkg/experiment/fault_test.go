package experiment

import (
	"slices"
	"strings"
	"testing"
)

func TestFaultError(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault Fault
		want  string
	}{
		{
			"all",
			Fault{File: "e.yaml", Line: 3, Column: 7, Path: "spec.algoritm", Detail: "unknown field", Value: "x", Nearest: "algorithm"},
			`e.yaml:3:7: spec.algoritm: unknown field, got "x"; did you mean algorithm?`,
		},
		{"no text behind it", Fault{Path: "spec", Detail: "must be specified"}, "spec: must be specified"},
		{"no file name", Fault{Line: 1, Column: 2, Detail: "empty"}, "1:2: empty"},
		{"no position", Fault{File: "e.yaml", Detail: "empty"}, "e.yaml: empty"},
		{"hostile name", Fault{Path: "a\x1b[2J", Detail: "x\ny"}, "a\uFFFD[2J: x\uFFFDy"},
		{"long value", Fault{Detail: "wrong", Value: strings.Repeat("é", 60)}, `wrong, got "` + strings.Repeat("é", 40) + `..."`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.fault.Error(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestFaultsError(t *testing.T) {
	faults := Faults{{Line: 2, Column: 1, Detail: "second"}, {Line: 1, Column: 9, Detail: "first"}, {Line: 2, Column: 1, Detail: "third"}}
	faults.sort()
	if got, want := faults.Error(), "1:9: first\n2:1: second\n2:1: third"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNearest(t *testing.T) {
	fields := []string{"algorithm", "maxFailedTrialCount", "maxTrialCount", "max", "min", "objective", "parameters", "parameterType"}
	for _, tt := range []struct{ given, want string }{
		{"algorthm", "algorithm"},           // a letter is missing
		{"parametes", "parameters"},         // nearer than parameterType
		{"objecitve", "objective"},          // two letters are swapped
		{"MAXTRIALCOUNT", "maxTrialCount"},  // case
		{"maxTrailCount", "maxTrialCount"},  // not maxFailedTrialCount
		{"mix", "max"},                      // as near to min; the first counts
		{"maximum", "max"},                  // holds it
		{"ParameterTypes", "parameterType"}, // nearer than parameters
		{"type", "parameterType"},           // part of one only
		{"count", ""},                       // part of two
		{"colour", ""},
		{"x", ""},
		{"", ""},
		{strings.Repeat("x", 1000), ""},
	} {
		if got := Nearest(tt.given, fields); got != tt.want {
			t.Errorf("nearest to %q: got %q, want %q", tt.given, got, tt.want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "abc", 0},
		{"abc", "abd", 1},
		{"abc", "acb", 1},
		{"abc", "ab", 1},
		{"abc", "xabc", 1},
		{"kitten", "sitting", 3},
		{"ca", "abc", 3}, // restricted: a swap is not edited again
	} {
		if got := editDistance(tt.a, tt.b); got != tt.want {
			t.Errorf("from %q to %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := editDistance(tt.b, tt.a); got != tt.want {
			t.Errorf("from %q to %q: got %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

// has reports whether some fault is about the path.
func (fs Faults) has(path string) bool {
	return slices.ContainsFunc(fs, func(f Fault) bool { return f.Path == path })
}
