package bayes

import (
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
)

// importances estimates the importance of each of d independent coordinates, uniform in [0, 1], to
// a function: shares of the variance of its values, also known as Sobol' indices (1993) and, of a
// model of trials, as functional ANOVA (Hutter et al. 2014). f writes to out its values at the rows
// of u, which is n by d. All are 0 to a constant.
//
// Two samples A and B share a sequence of 2d axes. With A_i, which is A with column i of B,
//
//	Alone_i = mean f(B) (f(A_i) - f(A)) / V,  Total_i = mean (f(A) - f(A_i))^2 / 2V
//
// (Saltelli et al. 2010, Variance based sensitivity analysis of model output, table 2, b and f).
func importances(f func(u, out []float64), d int) []algorithms.Importance {
	const n = 2048 // a power of 2 keeps the sequence balanced; shares err by about 0.01 then
	a, b := samples(n, d)
	fa, fb, fi := make([]float64, n), make([]float64, n), make([]float64, n)
	f(a, fa)
	f(b, fb)
	mean := average(slices.Concat(fa, fb))
	floats.AddConst(-mean, fa)
	floats.AddConst(-mean, fb)
	variance := (inner(fa, fa) + inner(fb, fb)) / (2 * n)
	out := make([]algorithms.Importance, d)
	if !(variance > 1e-24*mean*mean) { // no more than rounding
		return out
	}
	mixed := make([]float64, len(a))
	for i := range out {
		copy(mixed, a)
		for at := i; at < len(a); at += d {
			mixed[at] = b[at]
		}
		f(mixed, fi)
		floats.AddConst(-mean, fi)
		alone, total := 0.0, 0.0
		for j, v := range fi {
			change := v - fa[j]
			alone += float64(fb[j] * change)
			total += float64(change * change)
		}
		out[i].Total = min(1, total/(2*n)/variance)
		out[i].Alone = max(0, min(alone/n/variance, out[i].Total))
	}
	return out
}

// samples returns two samples, n by d each, that share a Sobol' sequence. Axes that it has not are
// random.
func samples(n, d int) (a, b []float64) {
	axes := min(2*d, sampling.MaxDimensions)
	s, random := sampling.NewSobol(axes, 1), rand.New(rand.NewPCG(1, 0))
	row := make([]float64, 2*d)
	for j := range n {
		s.At(uint64(j), row[:axes])
		for k := axes; k < len(row); k++ {
			row[k] = random.Float64()
		}
		a, b = append(a, row[:d]...), append(b, row[d:]...)
	}
	return a, b
}

// inner is the sum of products, each rounded.
func inner(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += float64(v * b[i])
	}
	return sum
}
