package bayes

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// between is the score before standardizing of a value at a share of the way from best to worst.
func between(share float64) float64 { return 0.5 - math.Log1p(0.5*share)/math.Log(1.5) }

// standardized returns y with mean 0 and variance 1.
func standardized(y ...float64) []float64 {
	sum, squares := 0.0, 0.0
	for _, v := range y {
		sum += v
	}
	for _, v := range y {
		squares += (v - sum/float64(len(y))) * (v - sum/float64(len(y)))
	}
	for i := range y {
		y[i] = (y[i] - sum/float64(len(y))) / math.Sqrt(squares/float64(len(y)))
	}
	return y
}

func TestWarp(t *testing.T) {
	// Of 0, 1, 2 the worst goes to the quantile 1/6 of a normal distribution about 1 whose variance
	// is the mean of 0 and 1.
	three := 1 + math.Sqrt(0.5)*0.967421566101701
	tests := []struct {
		name   string
		losses []float64
		want   []float64
	}{
		{"none", nil, nil},
		{"one", []float64{7}, []float64{0}},
		{"all failed", []float64{nan, inf}, []float64{0, 0}},
		{"equal", []float64{3, 3, 3}, []float64{0, 0, 0}},
		{"two", []float64{1, 0}, standardized(between(1), between(0))},
		{"three", []float64{2, 0, 1}, standardized(between(1), between(0), between(1/three))},
		{"an outlier counts by rank", []float64{1e300, 0, 1}, standardized(between(1), between(0), between(1/three))},
		{"failed", []float64{nan, 0, 1}, standardized(-2, between(0), between(1))},
		{"infinite", []float64{inf, 0, 1}, standardized(-2, between(0), between(1))},
		{"equal and failed", []float64{nan, 0, 0}, standardized(-1, 0, 0)},
		{"least", []float64{-inf, 0, 1}, standardized(between(0), between(0), between(1))},
		{"far apart", []float64{math.MaxFloat64, -math.MaxFloat64}, standardized(between(1), between(0))},
		{"tiny", []float64{5e-324, 0}, standardized(between(1), between(0))},
	}
	for _, tt := range tests {
		got := make([]float64, len(tt.losses))
		new(warper).warp(tt.losses, got)
		for i, v := range got {
			if !(math.Abs(v-tt.want[i]) < 1e-14) {
				t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
				break
			}
		}
	}
}

// TestWarpProperties wants scores that fall as losses rise, have mean 0 and variance 1, and do not
// know the losses' unit.
func TestWarpProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := 2; n < 40; n++ {
		losses := make([]float64, n)
		for i := range losses {
			losses[i] = math.Round(10*math.Exp(3*random.NormFloat64())) / 10 // some ties
		}
		slices.SortFunc(losses, cmp.Compare[float64])
		scores, other := make([]float64, n), make([]float64, n)
		w := new(warper)
		w.warp(losses, scores)
		mean, squares := 0.0, 0.0
		for i, v := range scores {
			mean, squares = mean+v/float64(n), squares+v*v/float64(n)
			if i > 0 && !(v < scores[i-1] || v == scores[i-1] && losses[i] == losses[i-1]) {
				t.Fatalf("%v: scores %v do not fall", losses, scores)
			}
		}
		if math.Abs(mean) > 1e-14 || math.Abs(squares-1) > 1e-13 {
			t.Errorf("mean %g, mean square %g", mean, squares)
		}
		for i := range losses {
			losses[i] *= 0x1p-900
		}
		if w.warp(losses, other); !slices.Equal(scores, other) {
			t.Errorf("scores %v, in another unit %v", scores, other)
		}
	}
}
