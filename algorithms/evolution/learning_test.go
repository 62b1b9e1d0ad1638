package evolution

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
)

// learner adapts rates by the formulas as they stand in Nomura, Akimoto and Ono 2023, algorithm 1, with whole matrices.
type learner struct {
	reference
	eMean, eSigma     []float64
	vMean, vSigma     float64
	etaMean, etaSigma float64
}

func (l *learner) adapt(points [][]float64) {
	n := len(l.m)
	m, sigma, a := slices.Clone(l.m), l.sigma, cholesky(l.c)
	old := rows(n, n)
	for i := range n {
		copy(old[i], l.c[i])
	}
	l.reference.adapt(points)
	dm := make([]float64, n)
	for j := range n {
		dm[j] = (l.m[j] - m[j]) / sigma
	}
	dm = forward(a, dm)
	d := rows(n, n) // of Sigma
	for i := range n {
		for j := range n {
			d[i][j] = l.sigma*l.sigma*l.c[i][j] - sigma*sigma*old[i][j]
		}
	}
	// A^-1 D A^-T, twice a column at a time.
	for range 2 {
		t := rows(n, n)
		for j := range n {
			column := make([]float64, n)
			for i := range n {
				column[i] = d[i][j] / sigma
			}
			copy(t[j], forward(a, column))
		}
		d = t
	}
	flat := slices.Concat(d...)
	for i := range flat {
		flat[i] /= math.Sqrt2
	}
	before := l.etaMean
	l.etaMean, l.vMean = snrRate(dm, l.eMean, l.vMean, l.etaMean, 0.1)
	l.etaSigma, l.vSigma = snrRate(flat, l.eSigma, l.vSigma, l.etaSigma, 0.03)
	whole := rows(n, n)
	for i := range n {
		l.m[i] = m[i] + l.etaMean*(l.m[i]-m[i])
		for j := range n {
			s := sigma * sigma * old[i][j]
			whole[i][j] = s + l.etaSigma*(l.sigma*l.sigma*l.c[i][j]-s)
		}
	}
	logDet := 0.0
	for i, row := range cholesky(whole) {
		logDet += 2 * math.Log(row[i])
	}
	l.sigma = math.Exp(logDet / 2 / float64(n))
	for i := range n {
		for j := range n {
			l.c[i][j] = whole[i][j] / (l.sigma * l.sigma)
		}
	}
	l.sigma *= before / l.etaMean
}

func snrRate(d, e []float64, v, eta, beta float64) (rate, square float64) {
	const alpha, gamma = 1.4, 0.1
	for i := range d {
		e[i] = (1-beta)*e[i] + beta*d[i]
	}
	v = (1-beta)*v + beta*dot(d, d)
	snr := (dot(e, e) - beta/(2-beta)*v) / (v - dot(e, e))
	return min(1, eta*math.Exp(min(gamma*eta, beta)*max(-1, min(1, snr/alpha/eta-1)))), v
}

func TestLearningIsAsInThePaper(t *testing.T) {
	const n, lambda = 5, 8
	identity := rows(n, n)
	for j := range identity {
		identity[j][j] = 1
	}
	s := newStrategy(make([]float64, n), 0.3, lambda, false)
	s.learning = newLearning(n, s.shape)
	l := learner{
		reference: reference{k: s.constants, n: n, m: make([]float64, n), pSigma: make([]float64, n), pC: make([]float64, n), sigma: 0.3, c: identity},
		eMean:     make([]float64, n), eSigma: make([]float64, n*n), etaMean: 1, etaSigma: 1,
	}
	source := rand.New(rand.NewPCG(1, 1))
	points := rows(lambda, n)
	least := 1.0
	for generation := range 80 {
		for _, x := range points {
			for j := range x {
				x[j] = source.NormFloat64()
			}
			s.sample(slices.Clone(x), x)
		}
		noise := source.Float64()
		slices.SortFunc(points, func(a, b []float64) int {
			return standing{value: sphere(a) + noise*math.Sin(99*a[0])}.compare(standing{value: sphere(b) + noise*math.Sin(99*b[0])})
		})
		for k, x := range points {
			s.place(k, x, s.generation)
		}
		l.adapt(points)
		s.adapt()
		least = min(least, l.etaMean, l.etaSigma)
		for _, d := range []struct {
			what      string
			got, want float64
		}{
			{"sigma", s.sigma, l.sigma},
			{"rate of the mean", s.learning.mean.eta, l.etaMean},
			{"rate of the shape", s.learning.shape.eta, l.etaSigma},
			{"C[3,1]", s.shape.(*full).c[3*n+1] + 1, l.c[3][1] + 1},
			{"C[2,2]", s.shape.variance(2), l.c[2][2]},
			{"mean[0]", s.mean[0] + 1, l.m[0] + 1},
		} {
			if !(math.Abs(d.got/d.want-1) < 1e-6) { // rounding, which 80 generations multiply
				t.Fatalf("generation %d: %s is %g, want %g", generation, d.what, d.got, d.want)
			}
		}
	}
	if least > 0.9 {
		t.Errorf("the least rate was %g; nothing was adapted", least)
	}
}

// TestLearningOfDiagonal wants the rates of a diagonal matrix to be those of a whole one where that is diagonal.
func TestLearningOfDiagonal(t *testing.T) {
	zs, w := [][]float64{{1, 0}, {0, 2}}, []float64{0.3, -0.1}
	f, d := newFull(2), newDiagonal(2)
	a, b := make([]float64, f.localSize()), make([]float64, d.localSize())
	f.local(a, -0.5, 0.2, []float64{0, 3}, 2, w, zs)
	d.local(b, -0.5, 0.2, []float64{0, 3}, 2, w, zs)
	if math.Abs(dot(a, a)-dot(b, b)) > near || dot(b, b) == 0 {
		t.Errorf("squared lengths %g and %g", dot(a, a), dot(b, b))
	}
}

// TestLearningWithoutSteps wants rates to stay what they are where nothing moves.
func TestLearningWithoutSteps(t *testing.T) {
	r := rate{eta: 0.5, beta: 0.1, e: make([]float64, 2)}
	for range 3 {
		r.see([]float64{0, 0}, 1)
	}
	if r.eta != 0.5 {
		t.Errorf("the rate is %g", r.eta)
	}
}

// TestLearningIsASetting wants shorter steps where results are noise alone, and none of it without the setting.
func TestLearningIsASetting(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	for _, on := range []bool{false, true} {
		var raw []algorithms.RawSetting
		if on {
			raw = []algorithms.RawSetting{{Name: "lr_adapt", Value: "true"}}
		}
		s := newStudy(t, algorithms.Problem{Space: doubles(t, 3), Objectives: 1, Seed: 1, Parallel: 1}, raw...)
		for range 700 {
			s.step(func([]float64) float64 { return source.Float64() })
		}
		switch l := s.strategy.learning; {
		case on != (l != nil):
			t.Errorf("lr_adapt %t: learning %v", on, l)
		case on && !(l.mean.eta < 0.5 && l.shape.eta < 0.5):
			t.Errorf("the rates are %g and %g", l.mean.eta, l.shape.eta)
		}
	}
}
