package evolution

import (
	"math"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// learning adapts how much of a generation's change of the distribution is made: so much that of what is
// changed the signal stays a given multiple of the noise, whatever the problem. Rates of 1 are CMA-ES without
// it (Nomura, Akimoto and Ono 2023, CMA-ES with learning rate adaptation, arXiv:2304.03473).
type learning struct {
	mean, shape rate
	step        []float64 // scratch: of the shape, in local coordinates
	path        []float64 // scratch: pC in local coordinates
}

// rate is the learning rate of one part of the distribution.
type rate struct {
	eta  float64
	beta float64   // by which averages move
	e    []float64 // moving average of the steps, in coordinates in which the distribution is N(0, I)
	v    float64   // moving average of their squared lengths
}

func newLearning(n int, s shape) *learning {
	const betaMean, betaSigma = 0.1, 0.03
	size := s.localSize()
	return &learning{
		mean:  rate{eta: 1, beta: betaMean, e: make([]float64, n)},
		shape: rate{eta: 1, beta: betaSigma, e: make([]float64, size)},
		step:  make([]float64, size), path: make([]float64, n),
	}
}

// see takes in a step, which is multiplied by scale, and adapts the rate.
func (r *rate) see(step []float64, scale float64) {
	const alpha, gamma = 1.4, 0.1
	old := 1 - r.beta
	square := 0.0
	for i, d := range step {
		d *= scale
		square += float64(d * d)
		r.e[i] = float64(old*r.e[i]) + float64(r.beta*d)
	}
	r.v = float64(old*r.v) + float64(r.beta*square)
	signal := dot(r.e, r.e)
	noise := r.v - signal
	if !(noise > 0) { // nothing has moved
		return
	}
	snr := (signal - float64(r.beta/(2-r.beta)*r.v)) / noise
	excess := max(-1, min(snr/alpha/r.eta-1, 1))
	r.eta *= elementary.Exp(min(gamma*r.eta, r.beta) * excess)
	r.eta = min(r.eta, 1)
}

// learn makes the part of a generation's change that the rates allow for: of the mean, and of sigma^2 C, where sigma would grow
// by a factor and C keep so much of itself. The step size grows as the rate of the mean falls, for steps of
// that length were the best ones.
func (s *strategy) learn(growth, keep float64) {
	l := s.learning
	before := l.mean.eta
	l.mean.see(s.zW, s.cM)
	square := growth * growth
	s.shape.whiten(s.pC, l.path)
	s.shape.local(l.step, float64(square*keep)-1, square*s.c1, l.path, square, s.scaled, s.z)
	l.shape.see(l.step, 1/math.Sqrt2)

	s.moveMean(l.mean.eta)
	eta := l.shape.eta
	for k := range s.scaled {
		s.scaled[k] *= eta * square
	}
	s.updateShape(1-eta+float64(eta*square*keep), eta*square*s.c1)
	logSigma := s.shape.logDet() / float64(2*s.n)
	s.shape.update(elementary.Exp(-2*logSigma), 0, s.pC, nil, nil)
	s.sigma *= elementary.Exp(logSigma) * before / l.mean.eta
}
