package searchspace

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

const draws = 20_000

// sample draws values of one parameter, ascending.
func sample(t *testing.T, p Parameter) []float64 {
	t.Helper()
	s := mustNew(t, p)
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]float64, draws)
	for i := range out {
		out[i] = s.Decode([]float64{r.Float64()})[0]
	}
	slices.Sort(out)
	return out
}

// truncated is the distribution function of the normal distribution of mean mid and a sixth of
// the range, between the ends.
func truncated(v, lo, hi float64) float64 {
	n := distuv.Normal{Mu: (lo + hi) / 2, Sigma: (hi - lo) / 6}
	return (n.CDF(v) - n.CDF(lo)) / (n.CDF(hi) - n.CDF(lo))
}

// TestContinuousDistributions compares samples with distribution functions, by the test of
// Kolmogorov and Smirnov.
func TestContinuousDistributions(t *testing.T) {
	lo, hi := 0.002, 0.7
	tests := []struct {
		name string
		dist Distribution
		cdf  func(v float64) float64
	}{
		{"uniform", Uniform, func(v float64) float64 { return (v - lo) / (hi - lo) }},
		{"logUniform", LogUniform, func(v float64) float64 { return math.Log(v/lo) / math.Log(hi/lo) }},
		{"normal", Normal, func(v float64) float64 { return truncated(v, lo, hi) }},
		{"logNormal", LogNormal, func(v float64) float64 { return truncated(math.Log(v), math.Log(lo), math.Log(hi)) }},
	}
	// P(sqrt(n) D > x) tends to 2 exp(-2 x^2), so a true sample exceeds this once in 10^4 seeds.
	critical := math.Sqrt(math.Log(2/1e-4)/2) / math.Sqrt(draws)
	for _, tt := range tests {
		values := sample(t, Parameter{Name: "x", Kind: Double, Min: lo, Max: hi, Distribution: tt.dist})
		for other, reference := range tests {
			d := 0.0
			for i, v := range values {
				f := reference.cdf(v)
				d = max(d, math.Abs(f-float64(i)/draws), math.Abs(f-float64(i+1)/draws))
			}
			if same := tt.dist == tests[other].dist; (d <= critical) != same {
				t.Errorf("%s against %s: distance %.4f, critical %.4f", tt.name, reference.name, d, critical)
			}
		}
	}
}

func uniform(lo, hi float64) float64 { return hi - lo }

func logarithm(lo, hi float64) float64 { return math.Log(hi / lo) }

func normal(mu, sigma float64) func(lo, hi float64) float64 {
	n := distuv.Normal{Mu: mu, Sigma: sigma}
	return func(lo, hi float64) float64 { return n.CDF(hi) - n.CDF(lo) }
}

var gridCases = []struct {
	name   string
	p      Parameter
	values []float64
	edges  []float64 // of the cells
	mass   func(lo, hi float64) float64
}{
	{"int", Parameter{Kind: Int, Min: -1, Max: 3}, []float64{-1, 0, 1, 2, 3}, []float64{-1.5, -0.5, 0.5, 1.5, 2.5, 3.5}, uniform},
	{"int by 2", Parameter{Kind: Int, Max: 6, Step: 2}, []float64{0, 2, 4, 6}, []float64{-1, 1, 3, 5, 7}, uniform},
	{"last step past max", Parameter{Kind: Int, Max: 7, Step: 3}, []float64{0, 3, 6}, []float64{-1.5, 1.5, 4.5, 7.5}, uniform},
	{"double by 0.1", Parameter{Kind: Double, Min: 0.1, Max: 0.4, Step: 0.1}, []float64{0.1, 0.2, 0.3, 0.4}, []float64{0.05, 0.15, 0.25, 0.35, 0.45}, uniform},
	{"discrete", Parameter{Kind: Discrete, Values: []string{"1", "10", "1000"}, Numbers: []float64{1, 10, 1000}}, []float64{1, 10, 1000}, []float64{0, 1, 2, 3}, uniform},
	{"categorical", Parameter{Kind: Categorical, Values: []string{"a", "b"}}, []float64{0, 1}, []float64{0, 1, 2}, uniform},
	// The outer edges of a logarithmic grid mirror the inner ones in the logarithm.
	{"log int", Parameter{Kind: Int, Min: 1, Max: 4, Distribution: LogUniform}, []float64{1, 2, 3, 4}, []float64{1 / 1.5, 1.5, 2.5, 3.5, 16 / 3.5}, logarithm},
	{"normal int", Parameter{Kind: Int, Max: 6, Distribution: Normal}, []float64{0, 1, 2, 3, 4, 5, 6}, []float64{-0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5}, normal(3, 1)},
	{"normal by 0.5", Parameter{Kind: Double, Max: 2, Step: 0.5, Distribution: Normal}, []float64{0, 0.5, 1, 1.5, 2}, []float64{-0.25, 0.25, 0.75, 1.25, 1.75, 2.25}, normal(1, 1.0/3)},
	{
		"logNormal int",
		Parameter{Kind: Int, Min: 1, Max: 4, Distribution: LogNormal},
		[]float64{1, 2, 3, 4},
		[]float64{1 / 1.5, 1.5, 2.5, 3.5, 16 / 3.5},
		func(lo, hi float64) float64 {
			return normal(math.Log(2), math.Log(4)/6)(math.Log(lo), math.Log(hi))
		},
	},
}

// TestGridDistributions compares the counts of cells with their probabilities, by the test of
// chi-square.
func TestGridDistributions(t *testing.T) {
	for _, tt := range gridCases {
		tt.p.Name = "x"
		got := make(map[float64]float64)
		for _, v := range sample(t, tt.p) {
			got[v]++
		}
		total := tt.mass(tt.edges[0], tt.edges[len(tt.edges)-1])
		chi2 := 0.0
		for i, v := range tt.values {
			want := draws * tt.mass(tt.edges[i], tt.edges[i+1]) / total
			chi2 += (got[v] - want) * (got[v] - want) / want
			delete(got, v)
		}
		// A true sample exceeds this once in 10^4 seeds.
		critical := distuv.ChiSquared{K: float64(len(tt.values) - 1)}.Quantile(1 - 1e-4)
		if len(got) > 0 || chi2 > critical {
			t.Errorf("%s: chi-square %.1f, critical %.1f, values beside the grid %v", tt.name, chi2, critical, got)
		}
	}
}

// TestGridCodes compares the codes of grid values with the middles of their cells' probabilities.
func TestGridCodes(t *testing.T) {
	for _, tt := range gridCases {
		tt.p.Name = "x"
		s := mustNew(t, tt.p)
		total := tt.mass(tt.edges[0], tt.edges[len(tt.edges)-1])
		for i, v := range tt.values {
			want := (tt.mass(tt.edges[0], tt.edges[i]) + tt.mass(tt.edges[0], tt.edges[i+1])) / 2 / total
			const tolerance = 64 * 0x1p-53 // some 30 operations on either side, each rounding once
			if got := s.Encode(Point{v})[0]; math.Abs(got-want) > tolerance {
				t.Errorf("%s: value %v: got %v, want %v", tt.name, v, got, want)
			}
		}
	}
}
