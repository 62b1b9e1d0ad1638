package bayes

import "math"

// wish is what is wanted of the losses or scores at a point, given their distributions: independent
// normal, one per output of the models.
type wish interface {
	// rate returns how well a point with these means and standard deviations meets the wish, and
	// writes the derivatives by both.
	rate(mean, sd, byMean, bySD []float64) float64
}

// joint rates points by several models that share their rows.
type joint struct {
	wish    wish
	outputs []*output

	d                    int
	mean, sd             []float64 // outputs
	byMean, bySD         []float64
	allMean, allVariance []float64 // outputs by points
	dMean, dVariance     []float64 // outputs by d
}

func newJoint(w wish, outputs []*output, d int) *joint {
	m := len(outputs)
	return &joint{
		wish: w, outputs: outputs, d: d,
		mean: make([]float64, m), sd: make([]float64, m), byMean: make([]float64, m), bySD: make([]float64, m),
		dMean: make([]float64, m*d), dVariance: make([]float64, m*d),
	}
}

func (j *joint) rateAll(x, values []float64) {
	k := len(values)
	j.allMean, j.allVariance = grow(j.allMean, k*len(j.outputs)), grow(j.allVariance, k*len(j.outputs))
	for i, out := range j.outputs {
		out.predict(x, j.allMean[i*k:(i+1)*k], j.allVariance[i*k:(i+1)*k])
	}
	for at := range values {
		for i := range j.outputs {
			j.mean[i] = j.allMean[i*k+at]
			j.sd[i] = deviation(j.allVariance[i*k+at])
		}
		values[at] = j.wish.rate(j.mean, j.sd, j.byMean, j.bySD)
	}
}

func (j *joint) rate(x, gradient []float64) float64 {
	for i, out := range j.outputs {
		mean, variance := out.predictGradient(x, j.dMean[i*j.d:(i+1)*j.d], j.dVariance[i*j.d:(i+1)*j.d])
		j.mean[i], j.sd[i] = mean, deviation(variance)
	}
	value := j.wish.rate(j.mean, j.sd, j.byMean, j.bySD)
	clear(gradient)
	for i := range j.outputs {
		for k := range gradient {
			// d sd = d variance / (2 sd)
			gradient[k] += float64(j.byMean[i]*j.dMean[i*j.d+k]) + j.bySD[i]*j.dVariance[i*j.d+k]/(2*j.sd[i])
		}
	}
	return value
}

// deviation is the square root of a variance that rounding may have made negative, kept away from
// 0, where derivatives have no meaning.
func deviation(variance float64) float64 { return math.Sqrt(max(variance, 1e-12)) }
