package gp

import "math"

// Quadratic is a polynomial of second degree in some variables.
type Quadratic struct {
	variables int
	weights   []float64 // of the terms
	terms     []float64 // scratch
}

// Standard deviations of the weights before any value: what is simpler is more likely.
const constantScale, linearScale, squareScale = 10, 10, 1

// FitQuadratic fits n values y at the rows of x, n by d, within [-1, 1] or not far out of it. Weights are
// the mean of their normal distribution given y, of mean 0, and noise (ridge regression), so that n
// may be less than there are weights. Of some variances of noise that one is taken which predicts best
// what is left out. unexplained is the sum of squares of these residuals (PRESS, Allen 1974) as a part
// of that of y about its mean: 0 is a perfect fit, and 1 is none. It is +Inf when y is constant, or too
// large or too small to be squared. O(n^3 + n d^2).
func FitQuadratic(x, y []float64, d int) (q *Quadratic, unexplained float64) {
	n := len(y)
	check(len(x) == n*d)
	q = &Quadratic{variables: d, terms: make([]float64, 1+d+d*(d+1)/2)}
	q.weights = make([]float64, len(q.terms))
	mean, total := 0.0, 0.0
	for _, v := range y {
		mean += v / float64(n)
	}
	for _, v := range y {
		total += float64((v - mean) * (v - mean))
	}
	if !(total > 1e-300 && total < 1e300) { // NaN, too
		return q, math.Inf(1)
	}
	terms := make([]float64, 0, n*len(q.terms))
	for i := range n {
		q.expand(x[i*d:][:d])
		terms = append(terms, q.terms...)
	}
	unexplained = math.Inf(1)
	ridge := newRidge(terms, n, len(q.terms))
	for _, noise := range []float64{1e-8, 1e-6, 1e-4, 1e-2, 1} {
		if press := ridge.fit(y, mean, noise) / total; press < unexplained {
			unexplained = press
			clear(q.weights)
			for i, a := range ridge.alpha {
				axpy(a, terms[i*len(q.terms):][:len(q.terms)], q.weights)
			}
		}
	}
	q.weights[0] += mean / constantScale
	return q, unexplained
}

// expand sets the terms to those of a point: the constant, the variables, and their products.
func (q *Quadratic) expand(x []float64) {
	q.terms[0] = constantScale
	at := 1 + len(x)
	for i, v := range x {
		q.terms[1+i] = linearScale * v
		for _, w := range x[:i+1] {
			q.terms[at] = float64(squareScale * v * w)
			at++
		}
	}
}

// Value returns the value at x. It writes the derivatives unless gradient is nil.
func (q *Quadratic) Value(x, gradient []float64) float64 {
	q.expand(x)
	if gradient != nil {
		at := 1 + len(x)
		for i, v := range x {
			gradient[i] = linearScale * q.weights[1+i]
			for j, w := range x[:i+1] {
				gradient[i] += float64(squareScale * q.weights[at] * w)
				gradient[j] += float64(squareScale * q.weights[at] * v)
				at++
			}
		}
	}
	return dot(q.weights, q.terms)
}

// ridge is a regression in its dual form, with a row of terms for each value.
type ridge struct {
	gram   []float64 // n by n: products of rows, up to the diagonal
	factor factor
	alpha  []float64 // (gram + noise)^-1 y
	work   []float64
}

func newRidge(terms []float64, n, width int) *ridge {
	r := &ridge{gram: make([]float64, n*n), alpha: make([]float64, n), work: make([]float64, roundUp(n)*roundUp(n))}
	for i := range n {
		for j := range i + 1 {
			r.gram[i*n+j] = dot(terms[i*width:][:width], terms[j*width:][:width])
		}
	}
	r.factor.room(n)
	return r
}

// fit sets alpha for y less its mean, and returns the sum of squares of the residuals of values left
// out, alpha/c, c the diagonal of the inverse (Dubrule 1983).
func (r *ridge) fit(y []float64, mean, noise float64) (press float64) {
	n := len(y)
	for i := range n {
		row := r.factor.l[i*r.factor.stride:][:i+1]
		copy(row, r.gram[i*n:])
		row[i] += noise
		r.alpha[i] = y[i] - mean
	}
	r.factor.n = 0
	r.factor.extend(n)
	r.factor.solve(r.alpha, n, 1, n)
	r.factor.solveTransposed(r.alpha)
	r.factor.invert(r.work, roundUp(n))
	for i, a := range r.alpha {
		column := r.work[i*roundUp(n):][roundDown(i):n]
		residual := a / dot(column, column)
		press += float64(residual * residual)
	}
	return press
}
