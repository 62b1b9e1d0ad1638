package evolution

import (
	"math"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// strategy is one run of CMA-ES on n numbers, between two restarts: the distribution
//
//	v ~ N(mean, sigma^2 S C S)
//
// of the coordinates of trials, and what it takes to adapt it. S is the diagonal matrix of the margins, 1
// but for parameters in steps.
type strategy struct {
	constants
	n          int
	mean       []float64 // unit cube
	sigma      float64   // unit cube
	shape      shape
	margins    []float64 // diagonal of S
	pSigma     []float64 // path of the whitened steps of the mean
	pC         []float64 // path of the steps
	fade       float64   // (1-cSigma)^(2 generation)
	generation uint64
	learning   *learning // nil: all of a generation's change is made

	y, z   [][]float64 // lambda by n, steps of a generation, the best first
	scaled []float64   // lambda, weights of the rank-mu update
	yW, zW []float64   // n
}

// The limits of the step size: below it a float64 in the unit cube does not change, and above it all are
// at the ends of the cube.
const leastSigma, mostSigma = 0x1p-60, 0x1p20

// newStrategy starts at mean with step size sigma and covariance C = I.
func newStrategy(mean []float64, sigma float64, lambda int, separable bool) *strategy {
	n := len(mean)
	s := &strategy{
		constants: newConstants(n, lambda, separable), n: n, mean: mean, sigma: sigma, margins: make([]float64, n),
		pSigma: make([]float64, n), pC: make([]float64, n), fade: 1,
		y: rows(lambda, n), z: rows(lambda, n), scaled: make([]float64, lambda), yW: make([]float64, n), zW: make([]float64, n),
	}
	for j := range s.margins {
		s.margins[j] = 1
	}
	s.shape = newFull(n)
	if separable {
		s.shape = newDiagonal(n)
	}
	return s
}

func rows(m, n int) [][]float64 {
	all := make([]float64, m*n)
	out := make([][]float64, m)
	for i := range out {
		out[i] = all[i*n : (i+1)*n : (i+1)*n]
	}
	return out
}

// deviation is the standard deviation of coordinate j.
func (s *strategy) deviation(j int) float64 {
	return s.sigma * s.margins[j] * math.Sqrt(s.shape.variance(j))
}

// sample writes to v the point that z ~ N(0, I) stands for (eqs. 38 to 40).
func (s *strategy) sample(z, v []float64) {
	s.shape.color(z, v)
	for j := range v {
		v[j] = s.mean[j] + float64(s.sigma*s.margins[j]*v[j])
	}
}

// place sets step k of the generation to that from the mean to v. One of an earlier generation, or that
// was never drawn, is cut to a length that is likely, so that it turns the distribution but does not
// throw it (Hansen 2011, Injecting external solutions into CMA-ES, arXiv:1110.4181).
func (s *strategy) place(k int, v []float64, drawn uint64) {
	y, z := s.y[k], s.z[k]
	for j := range y {
		y[j] = (v[j] - s.mean[j]) / (s.sigma * s.margins[j])
	}
	s.shape.whiten(y, z)
	if drawn == s.generation {
		return
	}
	d := float64(s.n)
	limit := math.Sqrt(d) + float64(2*d)/(d+2)
	if length := math.Sqrt(dot(z, z)); length > limit {
		for j := range y {
			y[j], z[j] = y[j]*(limit/length), z[j]*(limit/length)
		}
	}
}

// adapt moves the distribution by the steps of a generation, the best first (Hansen 2016, eqs. 41 to 47).
func (s *strategy) adapt() {
	s.recombine()
	s.adaptPaths()
	keep := s.weigh()
	change := s.cSigma / s.dSigma * (math.Sqrt(dot(s.pSigma, s.pSigma))/s.chiN - 1)
	growth := elementary.Exp(min(1, change)) // eq. 44
	if s.learning != nil {
		s.learn(growth, keep)
	} else {
		s.moveMean(1)
		s.updateShape(keep, s.c1)
		s.sigma *= growth
	}
	s.sigma = max(leastSigma, min(s.sigma, mostSigma))
	s.generation++
}

// recombine averages the steps (eq. 41).
func (s *strategy) recombine() {
	clear(s.yW)
	clear(s.zW)
	for k := range s.mu {
		for j := range s.yW {
			s.yW[j] += float64(s.weights[k] * s.y[k][j])
			s.zW[j] += float64(s.weights[k] * s.z[k][j])
		}
	}
}

// moveMean moves the mean by a part of the averaged step (eq. 42).
func (s *strategy) moveMean(eta float64) {
	for j := range s.mean {
		s.mean[j] += float64(eta * s.cM * s.sigma * s.yW[j])
	}
}

// stalled is h_sigma = 0: the step size is about to grow fast, so that the path of C waits.
func (s *strategy) stalled() bool {
	limit := (1.4 + 2/float64(s.n+1)) * s.chiN
	return dot(s.pSigma, s.pSigma) >= limit*limit*(1-s.fade)
}

// adaptPaths moves the paths (eqs. 43 and 45).
func (s *strategy) adaptPaths() {
	old := 1 - s.cSigma
	s.fade *= old * old
	gain := math.Sqrt(s.cSigma * (2 - s.cSigma) * s.muEff)
	for j, z := range s.zW {
		s.pSigma[j] = float64(old*s.pSigma[j]) + float64(gain*z)
	}
	gain = math.Sqrt(s.cC * (2 - s.cC) * s.muEff)
	if s.stalled() {
		gain = 0
	}
	for j, y := range s.yW {
		s.pC[j] = float64((1-s.cC)*s.pC[j]) + float64(gain*y)
	}
}

// weigh computes the weights of the rank-mu update (eq. 46), and returns how much C keeps of itself.
func (s *strategy) weigh() (keep float64) {
	sum := 0.0
	for k, w := range s.weights {
		sum += w
		if w < 0 {
			w *= float64(s.n) / max(dot(s.z[k], s.z[k]), 1e-8) // eq. 46
		}
		s.scaled[k] = s.cMu * w
	}
	keep = 1 - s.c1 - float64(s.cMu*sum)
	if s.stalled() {
		keep += float64(s.c1 * s.cC * (2 - s.cC))
	}
	return keep
}

// updateShape moves C (eq. 47).
func (s *strategy) updateShape(keep, rank1 float64) {
	if !s.shape.update(keep, rank1, s.pC, s.scaled, s.y) {
		clear(s.pC)
	}
}
