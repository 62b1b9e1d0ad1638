package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestQuantile(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		q      float64
		want   float64
	}{
		{"none", nil, 0.5, math.NaN()},
		{"one", []float64{3}, 0.95, 3},
		{"median of two", []float64{1, 2}, 0.5, 1.5},
		{"between", []float64{10, 20, 30, 40}, 0.25, 17.5},
		{"ends", []float64{1, 2, 3}, 1, 3},
		{"infinite", []float64{1, math.Inf(1), math.Inf(1)}, 0.75, math.Inf(1)},
		{"any order", []float64{3, 1, 2}, 0.5, 2},
	}
	for _, tt := range tests {
		if got := quantiles(tt.values, tt.q)[0]; got != tt.want && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestRanks(t *testing.T) {
	tests := []struct {
		values, want []float64
	}{
		{[]float64{5}, []float64{1}},
		{[]float64{3, 1, 2}, []float64{3, 1, 2}},
		{[]float64{1, 1, 0}, []float64{2.5, 2.5, 1}},
		{[]float64{4, 4, 4, 4}, []float64{2.5, 2.5, 2.5, 2.5}},
	}
	for _, tt := range tests {
		if got := ranks(tt.values); !slices.Equal(got, tt.want) {
			t.Errorf("ranks(%v): got %v, want %v", tt.values, got, tt.want)
		}
	}
}

func TestWinMinusLoss(t *testing.T) {
	if got := winMinusLoss([]float64{-1, -0.1, 0, 2}); got != 0.25 {
		t.Errorf("got %v, want 0.25", got)
	}
}

// TestBootstrapOfIndependentSamples compares with the normal theory of the mean.
func TestBootstrapOfIndependentSamples(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 1))
	const n = 400
	samples := make([]sample, n)
	sum, squares := 0.0, 0.0
	for i := range samples {
		v := 3 + 2*source.NormFloat64()
		samples[i] = sample{fmt.Sprint(i), v}
		sum += v
		squares += v * v
	}
	m := sum / n
	half := 1.96 * math.Sqrt(squares/n-m*m) / math.Sqrt(n)
	got := bootstrap(samples)
	// The quantile at 2.5 % of 10,000 draws has the standard error sqrt(.025*.975/10000)/density,
	// 0.014 of the interval's half; 6 of them.
	tolerance := 6 * 0.014 * half
	if math.Abs(got.Mean-m) > 1e-12 || math.Abs(got.Low-(m-half)) > tolerance || math.Abs(got.High-(m+half)) > tolerance {
		t.Errorf("got %+v, want %.4f ± %.4f", got, m, half)
	}
}

// TestBootstrapOfClusters repeats each figure: copies within a cluster are no evidence, and leave
// the interval as it is; as clusters of their own they would halve it.
func TestBootstrapOfClusters(t *testing.T) {
	var once, copies, apart []sample
	for i := range 24 {
		v := math.Sin(float64(i))
		once = append(once, sample{fmt.Sprintf("%02d", i), v})
		for k := range 4 {
			copies = append(copies, sample{fmt.Sprintf("%02d", i), v})
			apart = append(apart, sample{fmt.Sprintf("%02d.%d", i, k), v})
		}
	}
	width := func(s []sample) float64 { i := bootstrap(s); return i.High - i.Low }
	// Two bootstraps of other draws differ by the error above, on both ends: 6 * 0.014 * sqrt2.
	if got := width(copies) / width(once); math.Abs(got-1) > 0.12 {
		t.Errorf("copies within clusters: width changes by %.3f", got)
	}
	if got := width(apart) / width(once); math.Abs(got-0.5) > 0.06 {
		t.Errorf("copies as clusters: width changes by %.3f, want 0.5", got)
	}
}

func TestBootstrapIsRepeatable(t *testing.T) {
	samples := []sample{{"b", 1}, {"a", 2}, {"c", -4}, {"a", 0.5}}
	first := bootstrap(samples)
	slices.Reverse(samples)
	if second := bootstrap(samples); first != second {
		t.Errorf("got %+v, then %+v", first, second)
	}
}

func TestBootstrapOfOneCluster(t *testing.T) {
	got := bootstrap([]sample{{"a", 1}, {"a", 3}})
	if got.Mean != 2 || !math.IsInf(got.Low, -1) || !math.IsInf(got.High, 1) {
		t.Errorf("got %+v", got)
	}
}
