package bayes

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

var tpeKinds = []searchspace.Parameter{
	{Name: "double", Kind: searchspace.Double, Max: 1},
	{Name: "grid", Kind: searchspace.Int, Distribution: searchspace.LogUniform, Min: 1, Max: 9},
	{Name: "label", Kind: searchspace.Categorical, Values: []string{"a", "b", "c"}},
	{Name: "log", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-6, Max: 1},
}

// newTPETestModel returns a model of n random trials, and the coordinates of some points.
func newTPETestModel(t *testing.T, n int, params ...searchspace.Parameter) (*tpeModel, [][]float64) {
	t.Helper()
	s := newTPESuggester(t, params, 1)
	playTPE(t, s, 1, n, func(p searchspace.Point) []float64 { return sphereLoss(s.space.space.Encode(p)) })
	m := s.models[0]
	m.refresh(&s.history, s.gamma, nil)
	r := rand.New(rand.NewPCG(1, 1))
	var points [][]float64
	for range 50 {
		u := make([]float64, len(params))
		for i := range u {
			u[i] = r.Float64()
		}
		points = append(points, s.space.encode(s.space.space.Decode(u)))
	}
	return m, points
}

// TestDensitiesIntegrateToOne sums over levels, and over doubles by Simpson's rule.
func TestDensitiesIntegrateToOne(t *testing.T) {
	for _, params := range [][]searchspace.Parameter{tpeKinds[:1], tpeKinds[1:3], tpeKinds[:3]} {
		m, _ := newTPETestModel(t, 60, params...)
		for name, p := range map[string]*parzen{"good": &m.good, "bad": &m.bad} {
			x := make([]float64, len(params))
			// The rule is off by (h/sigma)^4/180 at 1,000 intervals of h and a sigma of 0.02 or more, some 1e-8.
			if got := integrate(p, m.space.dims, x, 0); math.Abs(got-1) > 1e-7 {
				t.Errorf("%s density of %d parameters: got %v", name, len(params), got)
			}
		}
	}
}

func integrate(p *parzen, dims []tpeDim, x []float64, at int) float64 {
	if at == len(x) {
		return math.Exp(p.logDensity(x, inf))
	}
	sum := 0.0
	if n := dims[at].levels(); n > 0 {
		for k := range n {
			x[at] = float64(k)
			sum += integrate(p, dims, x, at+1)
		}
		return sum
	}
	const n = 1000
	for k := range n + 1 {
		weight := []float64{2, 4}[k%2]
		if k == 0 || k == n {
			weight = 1
		}
		x[at] = float64(k) / n
		sum += weight / 3 / n * integrate(p, dims, x, at+1)
	}
	return sum
}

// TestLogDensity compares with the sum written out.
func TestLogDensity(t *testing.T) {
	m, points := newTPETestModel(t, 80, tpeKinds...)
	for _, x := range points {
		for name, p := range map[string]*parzen{"good": &m.good, "bad": &m.bad} {
			rows, weights := m.goodRows, m.weights
			if p == &m.bad {
				rows, weights = nil, nil
				for i, row := range m.rows {
					if !slices.Contains(m.out, i) {
						rows, weights = append(rows, row), append(weights, 1)
					}
				}
			}
			// What is left out is below 80 e^-30 of the sum; Phi is right to 1e-11.
			if got, want := p.logDensity(x, inf), plainLogDensity(p, rows, weights, x); math.Abs(got-want) > 1e-9 {
				t.Errorf("%s at %v: got %v, want %v", name, x, got, want)
			}
		}
	}
}

func plainLogDensity(p *parzen, rows [][]float64, weights []float64, x []float64) float64 {
	sum, total := p.prior, p.prior
	for j := range p.lists {
		sum *= math.Exp(p.lists[j].logPrior[int(x[p.lists[j].dim])])
	}
	for i, row := range rows {
		product := weights[i]
		for j, d := range p.smooth {
			product *= truncated(row[d], p.sigma[j]).density(x[d])
		}
		for j := range p.lists {
			l := &p.lists[j]
			k, c := int(x[l.dim]), int(row[l.dim])
			if l.labels {
				same := 0.0
				if k == c {
					same = 1
				}
				product *= l.other/float64(l.at.levels()) + (1-l.other)*same
				continue
			}
			product *= truncated(l.at.middle(row[l.dim]), l.sigma).mass(l.at.edges[k], l.at.edges[k+1])
		}
		sum, total = sum+product, total+weights[i]
	}
	return math.Log(sum / total)
}

// truncated is a normal distribution cut to the unit interval.
func truncated(mean, sigma float64) cut { return cut{distuv.Normal{Mu: mean, Sigma: sigma}} }

type cut struct{ distuv.Normal }

func (c cut) density(x float64) float64 { return c.Prob(x) / (c.CDF(1) - c.CDF(0)) }

func (c cut) mass(low, high float64) float64 {
	return (c.CDF(high) - c.CDF(low)) / (c.CDF(1) - c.CDF(0))
}

// TestLogDensityGivesUp wants the true value below the bound, and more than the bound above it.
func TestLogDensityGivesUp(t *testing.T) {
	m, points := newTPETestModel(t, 80, tpeKinds...)
	for _, x := range points {
		value := m.bad.logDensity(x, inf)
		for _, most := range []float64{value - 5, value - 0.1, value + 0.1, value + 1000, -2000} {
			got := m.bad.logDensity(x, most)
			if most > value && got != value || most < value && !(got > most && got <= value+1e-12) {
				t.Errorf("at %v: got %v below %v, the density is %v", x, got, most, value)
			}
		}
	}
}

// TestGridTails compares with values from arithmetic with 40 digits.
func TestGridTails(t *testing.T) {
	m, _ := newTPETestModel(t, 1, searchspace.Parameter{Name: "x", Kind: searchspace.Int, Max: 63})
	l := &m.bad.lists[0]
	tests := []struct {
		centre, level int
		sigma, want   float64
	}{
		{0, 0, 0.02, -0.7632046806787238},
		{0, 5, 0.02, -8.037312415876148},
		{0, 10, 0.02, -30.05714272456901},
		{32, 31, 0.02, -1.480984897050703},
		{32, 45, 0.05, -10.27204015504805},
		{63, 0, 0.2, -14.91244885169836},
		{10, 60, 1, -4.371201420399566},
	}
	for _, tt := range tests {
		l.widen(tt.sigma)
		if got := l.column(tt.level)[tt.centre]; math.Abs(got-tt.want) > 1e-5 { // some times the 1e-6 of fastCDF
			t.Errorf("%+v: got %v", tt, got)
		}
	}
}

// TestDraw compares draws with the density, by the test of chi-square.
func TestDraw(t *testing.T) {
	m, _ := newTPETestModel(t, 80, tpeKinds[:3]...)
	r := rand.New(rand.NewPCG(2, 2))
	const n, parts = 100_000, 10
	got := make(map[string]float64)
	x := make([]float64, 3)
	for range n {
		m.draw(r, x)
		got[fmt.Sprint(int(x[0]*parts), x[1], x[2])]++
	}
	chi2, cells := 0.0, 0.0
	for part := range parts {
		for grid := range m.space.dims[1].levels() {
			for label := range m.space.dims[2].levels() {
				want := 0.0
				const steps = 200
				for k := range steps {
					x := []float64{(float64(part) + (float64(k)+0.5)/steps) / parts, float64(grid), float64(label)}
					want += n * math.Exp(m.good.logDensity(x, inf)) / parts / steps
				}
				have := got[fmt.Sprint(part, float64(grid), float64(label))]
				chi2 += (have - want) * (have - want) / want
				cells++
			}
		}
	}
	// A true sample exceeds this once in 10^4 seeds.
	if critical := (distuv.ChiSquared{K: cells - 1}).Quantile(1 - 1e-4); chi2 > critical {
		t.Errorf("chi-square %.1f, critical %.1f", chi2, critical)
	}
}
