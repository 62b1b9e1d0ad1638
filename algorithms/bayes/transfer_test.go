package bayes

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
)

// valley is an elongated bowl about a centre, which none of the points of the design is near.
func valley(u []float64, centre float64) float64 {
	sum := 0.0
	for i, v := range u {
		sum += float64(1+5*i) * (v - centre) * (v - centre)
	}
	return sum
}

// TestTransfer compares searches that know of an earlier experiment with searches that do not, by the
// paired difference of the logarithm of the best loss: related ones must help, and none may harm by
// more than the differences vary.
func TestTransfer(t *testing.T) {
	const seeds, n, early = 10, 16, 6
	target := func(u []float64) float64 { return valley(u, 0.31) }
	for _, c := range []struct {
		name    string
		earlier func(u []float64) float64
		helps   bool
	}{
		{"the same on another scale", func(u []float64) float64 { return 1e6 + 1e3*math.Sqrt(valley(u, 0.31)) }, true},
		{"related", func(u []float64) float64 { return valley(u, 0.36) }, true},
		{"unrelated", func(u []float64) float64 { return math.Sin(20*u[0]) * math.Cos(17*u[1]+1) }, false},
		{"adversarial", func(u []float64) float64 { return -valley(u, 0.31) }, false},
	} {
		var atEarly, atEnd []float64
		for seed := range uint64(seeds) {
			cold := descent(t, nil, seed, n, target)
			warm := descent(t, []algorithms.Prior{earlierOf(t, seed, c.earlier)}, seed, n, target)
			atEarly = append(atEarly, math.Log10(warm[early-1])-math.Log10(cold[early-1]))
			atEnd = append(atEnd, math.Log10(warm[n-1])-math.Log10(cold[n-1]))
		}
		mean, error := meanAndError(atEarly)
		if c.helps && mean+2*error > 0 {
			t.Errorf("%s: after %d trials the difference is %.2f, standard error %.2f", c.name, early, mean, error)
		}
		for when, differences := range map[int][]float64{early: atEarly, n: atEnd} {
			if mean, error := meanAndError(differences); mean-2*error > 0 {
				t.Errorf("%s: after %d trials it is worse by %.2f, standard error %.2f", c.name, when, mean, error)
			}
		}
	}
}

// descent returns the best loss after each trial.
func descent(t *testing.T, priors []algorithms.Prior, seed uint64, n int, f func(u []float64) float64) (best []float64) {
	t.Helper()
	least := math.Inf(1)
	_, trials := searchSquare(t, algorithms.Problem{Objectives: 1, Priors: priors, Seed: seed + 1}, n, func(u []float64) ([]float64, []float64) {
		return []float64{f(u)}, nil
	})
	for _, trial := range trials {
		least = min(least, trial.Losses[0])
		best = append(best, least)
	}
	return best
}

// earlierOf returns an experiment of random trials.
func earlierOf(t *testing.T, seed uint64, f func(u []float64) float64) algorithms.Prior {
	t.Helper()
	const trials = 30
	out := algorithms.Prior{Name: "earlier"}
	s, u := sampling.NewSobol(2, seed+100), make([]float64, 2)
	for i := range uint64(trials) {
		s.At(i, u)
		out.Trials = append(out.Trials, algorithms.Trial{
			ID: i + 1, Point: []float64{u[0], u[1]}, State: algorithms.Succeeded, Losses: []float64{f(u)},
		})
	}
	return out
}

func meanAndError(x []float64) (mean, standard float64) {
	n := float64(len(x))
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		standard += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(standard / (n - 1) / n)
}

// TestNonNegative compares with a search over a grid.
func TestNonNegative(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	for range 20 {
		var a [4]float64
		for i := range a {
			a[i] = r.NormFloat64()
		}
		q := []float64{a[0]*a[0] + a[1]*a[1] + 0.5, a[0]*a[2] + a[1]*a[3], a[0]*a[2] + a[1]*a[3], a[2]*a[2] + a[3]*a[3] + 0.5}
		b, w := []float64{r.NormFloat64(), r.NormFloat64()}, make([]float64, 2)
		value := func(x, y float64) float64 {
			return (q[0]*x*x+2*q[1]*x*y+q[3]*y*y)/2 - b[0]*x - b[1]*y
		}
		nonNegative(q, b, w)
		for i := range 61 {
			for j := range 61 {
				if x, y := float64(i)/10, float64(j)/10; value(x, y) < value(w[0], w[1])-1e-12 {
					t.Errorf("q %v, b %v: %v is worse than %v, %v", q, b, w, x, y)
				}
			}
		}
	}
}

// TestLiftGradient compares the derivatives of what the sources say with central differences.
func TestLiftGradient(t *testing.T) {
	p, trials := evaluated(t, doubles("a", "b"), 20, func(u []float64, _ *rand.Rand) ([]float64, []float64) {
		return []float64{valley(u, 0.3)}, nil
	})
	p.Priors = []algorithms.Prior{{Trials: trials}, {Trials: trials[:10]}}
	o := newOptimizer(p, defaults(p), 1)
	o.Tell(trials[12:16])
	o.open(nil)
	o.condition(1)
	l := o.outputs[0].lift
	if l.weights[0]+l.weights[1] < 0.3 {
		t.Fatalf("the same function has weights %v", l.weights)
	}
	x, gradient, means := []float64{0.4, 0.6}, make([]float64, 2), make([]float64, 1)
	value := l.add(x, gradient)
	if l.addAll(x, means); math.Abs(means[0]-value) > 1e-12 {
		t.Errorf("a batch says %v, a point %v", means[0], value)
	}
	for i := range x {
		const h = 1e-6
		at := x[i]
		x[i] = at + h
		up := l.add(x, make([]float64, 2))
		x[i] = at - h
		down := l.add(x, make([]float64, 2))
		x[i] = at
		if want := (up - down) / (2 * h); math.Abs(gradient[i]-want) > 1e-6*(1+math.Abs(want)) {
			t.Errorf("derivative %d is %v, by differences %v", i, gradient[i], want)
		}
	}
}
