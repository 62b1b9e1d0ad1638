package searchspace

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// within2ULP allows 2 units in the last place, and one for want's own error.
func within2ULP(got, want float64) bool {
	return got == want || math.Abs(got-want) <= 3*(math.Nextafter(math.Abs(want), math.Inf(1))-math.Abs(want))
}

func TestExpAndLn(t *testing.T) {
	exact := map[float64]float64{ // from arithmetic with 50 digits
		0:       1.0,
		1:       2.718281828459045,
		-1:      0.36787944117144233,
		1e-300:  1.0,
		0.34657: 1.4142084849595797,
		0.3466:  1.4142509118505286,
		709.78:  1.7928227943945155e+308,
		-708:    3.307553003638408e-308,
		-745:    5e-324,
		709.79:  math.Inf(1), -746: 0, 1e9: math.Inf(1), -1e9: 0, math.Inf(1): math.Inf(1), math.Inf(-1): 0,
	}
	for x, want := range exact {
		if got := exp(x); !within2ULP(got, want) {
			t.Errorf("e^%v: got %v, want %v", x, got, want)
		}
	}
	for v, want := range map[float64]float64{1: 0, math.E: 1, 2: math.Ln2, 5e-324: -744.4400719213812, math.MaxFloat64: 709.782712893384} {
		if got := ln(v); !within2ULP(got, want) {
			t.Errorf("ln %v: got %v, want %v", v, got, want)
		}
	}
}

func TestExpAndLnAgreeWithMath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-700, 700).Draw(t, "x")
		if got, want := exp(x), math.Exp(x); !within2ULP(got, want) {
			t.Errorf("e^%v: got %v, want %v", x, got, want)
		}
		v := rapid.Float64Range(0x1p-1022, math.MaxFloat64).Draw(t, "v")
		if got, want := ln(v), math.Log(v); !within2ULP(got, want) {
			t.Errorf("ln %v: got %v, want %v", v, got, want)
		}
		near1 := rapid.Float64Range(0.99, 1.01).Draw(t, "near 1")
		if got, want := ln(near1), math.Log(near1); !within2ULP(got, want) {
			t.Errorf("ln %v: got %v, want %v", near1, got, want)
		}
	})
}
