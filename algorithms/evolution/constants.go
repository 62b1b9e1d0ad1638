package evolution

import (
	"math"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// constants are the strategy parameters of n dimensions and lambda trials per generation, with the
// symbols and defaults of Hansen 2016, table 1.
type constants struct {
	lambda, mu int
	weights    []float64 // lambda of them, of the best first; the first mu are positive and sum to 1
	muEff      float64
	cM         float64
	cSigma     float64
	dSigma     float64
	cC         float64
	c1, cMu    float64
	chiN       float64 // E||N(0, I)||
}

// newConstants returns those of a covariance matrix that is learnt in full, or of its diagonal alone.
func newConstants(n, lambda int, diagonal bool) constants {
	k := constants{lambda: lambda, mu: lambda / 2, cM: 1}
	d := float64(n)
	raw := make([]float64, lambda)
	for i := range raw {
		raw[i] = elementary.Log(float64(lambda+1)/2) - elementary.Log(float64(i+1)) // eq. 49
	}
	var muEffMinus float64
	k.muEff, muEffMinus = effective(raw[:k.mu]), effective(raw[k.mu:])

	k.cSigma = (k.muEff + 2) / (d + k.muEff + 5)                                    // eq. 55
	k.dSigma = 1 + float64(2*max(0, math.Sqrt((k.muEff-1)/(d+1))-1)) + k.cSigma     // eq. 55
	k.cC = (4 + k.muEff/d) / (d + 4 + float64(2*k.muEff/d))                         // eq. 56
	k.c1 = 2 / (float64((d+1.3)*(d+1.3)) + k.muEff)                                 // eq. 57
	k.cMu = 2 * (0.25 + k.muEff + 1/k.muEff - 2) / (float64((d+2)*(d+2)) + k.muEff) // eq. 58, with the 1/4 of pycma
	k.chiN = math.Sqrt(d) * (1 - 1/float64(4*d) + 1/float64(21*d*d))                // Hansen 2016, p. 28
	if diagonal {
		k.c1, k.cMu = k.c1*(d+2)/3, k.cMu*(d+2)/3 // Ros and Hansen 2008: n parameters instead of n(n+1)/2
	}
	k.c1 = min(k.c1, 0.5)
	k.cMu = min(k.cMu, 1-k.c1)

	k.weights = raw
	k.normalize(d, muEffMinus)
	return k
}

// effective is (sum w)^2 / sum w^2.
func effective(w []float64) float64 {
	sum, squares := 0.0, 0.0
	for _, v := range w {
		sum += v
		squares += float64(v * v)
	}
	return sum * sum / squares
}

// normalize makes the positive weights sum to 1, and the negative ones to what keeps the covariance matrix
// positive definite (eqs. 50 to 53).
func (k *constants) normalize(d, muEffMinus float64) {
	alphaMu := 1 + k.c1/k.cMu                              // eq. 50
	alphaMuEff := 1 + float64(2*muEffMinus)/(k.muEff+2)    // eq. 51
	alphaPosDef := (1 - k.c1 - k.cMu) / (d * k.cMu)        // eq. 52
	negative := min(alphaMu, min(alphaMuEff, alphaPosDef)) // eq. 53
	plus, minus := 0.0, 0.0
	for _, w := range k.weights {
		plus += max(w, 0)
		minus -= min(w, 0)
	}
	for i, w := range k.weights {
		if w >= 0 {
			k.weights[i] = w / plus
		} else {
			k.weights[i] = w * max(0, negative) / minus
		}
	}
}

// defaultLambda is the number of trials in a generation (eq. 48).
func defaultLambda(n int) int { return 4 + int(3*elementary.Log(float64(n))) }
