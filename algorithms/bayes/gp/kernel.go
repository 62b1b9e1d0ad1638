package gp

import "math"

// row writes the covariances of a point, given by its features z, with the first len(k) rows of c,
// and the derivatives of their Matern terms with respect to r2.
func (m *Model) row(s *scales, c *columns, z, k, slope []float64) {
	real, hamming := m.real(), m.hamming()
	distances(k, c, z, real, s.inverse[real:])
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

// inputGradient writes the derivatives of the sum of weights[i] k(x, row i) with respect to the
// coordinates of x, where weights holds those of the Matern term times its slope, and linear those of
// the linear term. z and raw are of x.
func (m *Model) inputGradient(s *scales, c *columns, x, raw, z, weights, linear, out []float64) {
	clear(out)
	for k, d := range m.continuous {
		if math.IsNaN(x[d]) {
			continue
		}
		var sum float64
		for i, v := range c.values[k*c.stride:][:len(weights)] {
			sum = math.FMA(weights[i], z[k]-v, sum)
		}
		stretch := s.inverse[k]
		if len(s.a) > 0 {
			du, _, _ := kumaraswamySlopes(raw[k], s.a[k], s.b[k])
			stretch *= du
		}
		out[d] = 2 * sum * stretch
		if s.linear > 0 {
			at := (m.real() + m.hamming() + k) * c.stride
			out[d] += math.Sqrt(s.linear) * dot(linear, c.values[at:][:len(linear)])
		}
	}
}
