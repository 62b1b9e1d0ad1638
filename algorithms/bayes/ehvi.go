package bayes

import (
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// ehvi is the expected improvement of the hypervolume by a point whose losses are independent and
// normal. By the boxes l, u of what is not dominated, it is the sum over the boxes of
//
//	prod_k psi(u_k) - psi(l_k),  psi(a) = E max(0, a - Y_k) = s_k h((a - m_k)/s_k)
//
// with h(z) = phi(z) + z Phi(z) (Yang et al. 2019, Efficient computation of expected hypervolume
// improvement using box decomposition algorithms, J. Global Optimization 75, eq. 15). The sum is
// taken over logarithms, so that a gradient is left where the improvement underflows, as Ament et
// al. 2023 do.
type ehvi struct {
	m     int
	edges [][]float64 // distinct edges of the boxes in each objective, ascending
	lower []int       // of each box and objective, position of an edge; -1 stands for -Inf
	upper []int

	table  [][]edge  // scratch, parallel to edges
	logs   []float64 // scratch, of each box the logarithm of its term
	dMean  []float64 // scratch, boxes by m
	dSD    []float64
	factor factor
}

// edge is what an objective's normal distribution says about an edge.
type edge struct {
	at      float64
	z, logH float64
	slope   float64 // Phi(z)/h(z)
}

// factor is the logarithm of psi(u) - psi(l), and its derivatives.
type factor struct{ log, dMean, dSD float64 }

// newEHVI prepares for a front, bounded by a reference point.
func newEHVI(points [][]float64, reference []float64) *ehvi {
	b := newBoxes(points, reference)
	n := len(b.upper)
	e := &ehvi{
		m: b.m, edges: make([][]float64, b.m), table: make([][]edge, b.m),
		lower: make([]int, n), upper: make([]int, n),
		logs: make([]float64, n/b.m), dMean: make([]float64, n), dSD: make([]float64, n),
	}
	for i, u := range b.upper {
		k := i % b.m
		e.edges[k] = append(e.edges[k], u)
		if l := b.lower[i]; !math.IsInf(l, -1) {
			e.edges[k] = append(e.edges[k], l)
		}
	}
	for k := range e.edges {
		slices.Sort(e.edges[k])
		e.edges[k] = slices.Compact(e.edges[k])
		e.table[k] = make([]edge, len(e.edges[k]))
	}
	for i, u := range b.upper {
		k := i % b.m
		e.upper[i], _ = slices.BinarySearch(e.edges[k], u)
		e.lower[i] = -1
		if l := b.lower[i]; !math.IsInf(l, -1) {
			e.lower[i], _ = slices.BinarySearch(e.edges[k], l)
		}
	}
	return e
}

// log returns the logarithm of the expected improvement for losses of the given means and standard
// deviations above 0, and writes its derivatives by them.
func (e *ehvi) log(mean, sd, dMean, dSD []float64) float64 {
	for k, edges := range e.edges {
		for i, a := range edges {
			t := &e.table[k][i]
			t.at, t.z = a, (a-mean[k])/sd[k]
			t.logH, t.slope = logH(t.z)
		}
	}
	most := math.Inf(-1)
	for b := range e.logs {
		sum := 0.0
		for k := range e.m {
			at := b*e.m + k
			e.measure(at, k, sd[k])
			e.dMean[at], e.dSD[at] = e.factor.dMean, e.factor.dSD
			sum += e.factor.log
		}
		e.logs[b] = sum
		most = max(most, sum)
	}
	return most + e.gather(most, dMean, dSD)
}

// gather returns the logarithm of the sum of the terms over exp(most), and the derivatives.
func (e *ehvi) gather(most float64, dMean, dSD []float64) float64 {
	clear(dMean)
	clear(dSD)
	total := 0.0
	for b, l := range e.logs {
		w := elementary.Exp(l - most)
		total += w
		for k := range e.m {
			dMean[k] += float64(w * e.dMean[b*e.m+k])
			dSD[k] += float64(w * e.dSD[b*e.m+k])
		}
	}
	for k := range e.m {
		dMean[k] /= total
		dSD[k] /= total
	}
	return elementary.Log(total)
}

// measure sets the factor of objective k in the box and objective at a position.
func (e *ehvi) measure(at, k int, sd float64) {
	u := &e.table[k][e.upper[at]]
	// d/dm psi = -Phi and d/ds psi = phi, and phi/h = 1 - z Phi/h.
	f := factor{elementary.Log(sd) + u.logH, -u.slope / sd, (1 - float64(u.z*u.slope)) / sd}
	if e.lower[at] >= 0 {
		l := &e.table[k][e.lower[at]]
		if (u.z-l.z)*(1+math.Abs(u.z)) < narrow {
			f = thin(u, l, sd)
		} else {
			ratio := elementary.Exp(l.logH - u.logH) // below 1, as h grows
			f.log += elementary.Log1p(-ratio)
			f.dMean = (f.dMean + ratio*l.slope/sd) / (1 - ratio)
			f.dSD = (f.dSD - ratio*(1-float64(l.z*l.slope))/sd) / (1 - ratio)
		}
	}
	e.factor = f
}

// narrow is the width of a box in standard deviations, times 1+|z|, at which two approximations are
// equally good: the difference of two values of psi has a relative error of up to 1e-16 z^2/narrow,
// the midpoint rule one of about narrow^2/24.
const narrow = 1e-4

// thin is the factor of a box that is so narrow that psi(u) - psi(l), the integral of Phi, is its
// width times Phi in the middle.
func thin(u, l *edge, sd float64) factor {
	z := (u.z + l.z) / 2
	log, slope := logCDF(z)
	return factor{elementary.Log(u.at-l.at) + log, -slope / sd, -z * slope / sd}
}
