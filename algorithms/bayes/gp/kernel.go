package gp

import "math"

// row writes the covariances of a point, given by its features z, with the first len(k) rows of c,
// and the derivatives of their Matern terms with respect to r2. It works in whole vectors.
func (m *Model) row(s *scales, c *columns, z, k, slope []float64) {
	real, hamming := m.real(), m.hamming()
	clear(k)
	squares(k, c.values, c.stride, z[:real])
	unequal(k, c.values[real*c.stride:], c.stride, z[real:real+hamming], s.inverse[real:])
	matern(k, slope, s.signal)
	for i := real + hamming; i < len(z); i++ {
		axpy(z[i], c.values[i*c.stride:][:len(k)], k)
	}
}

// variance returns the variance of the process, without noise, at features z.
func (m *Model) variance(s *scales, z []float64) float64 {
	linear := z[m.real()+m.hamming():]
	return s.signal + dot(linear, linear)
}

// inputGradient writes the derivatives of a sum of w[i] k(x, row i) with respect to the coordinates
// of x. pulls are w times the slopes, followed by 0 to a whole vector. raw and z are of x.
func (m *Model) inputGradient(s *scales, c *columns, x, raw, z, w, pulls, out []float64) {
	clear(out)
	s.sums = zeroed(s.sums, len(m.continuous))
	pull(s.sums, pulls, c.values, c.stride, z[:len(m.continuous)])
	root := math.Sqrt(s.linear)
	s.pulled = s.pulled[:0]
	for k := range m.continuous {
		s.pulled = append(s.pulled, -2*sumLanes(&s.sums[k])*s.inverse[k])
	}
	for k := range s.pulled {
		for j := k + 1; len(s.weights) > 0 && j < len(s.pulled); j++ {
			s.pulled[k] = math.FMA(s.weights[j*(j-1)/2+k], s.pulled[j], s.pulled[k])
		}
	}
	for k, d := range m.continuous {
		if math.IsNaN(x[d]) {
			continue
		}
		out[d] = s.pulled[k]
		if len(s.a) > 0 {
			du, _, _ := kumaraswamySlopes(raw[k], s.a[k], s.b[k])
			out[d] *= du
		}
		if s.linear > 0 {
			column := c.values[(m.real()+m.hamming()+k)*c.stride:]
			out[d] += float64(root * dot(w, column[:len(w)]))
		}
	}
}

// zeroed returns n sums of nothing, in s if there is room.
func zeroed(s [][lanes]float64, n int) [][lanes]float64 {
	if cap(s) < n {
		return make([][lanes]float64, n)
	}
	s = s[:n]
	clear(s)
	return s
}
