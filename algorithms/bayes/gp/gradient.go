package gp

import "math"

// gradient adds the derivatives of the negative log likelihood: with M = K^-1 - alpha alpha^T, half
// the trace of M dK (Rasmussen and Williams 2006, eq. 5.9).
func (l *Likelihood) gradient(out []float64) {
	m, n, s := l.model, len(l.y), &l.scales
	if n == 0 {
		return
	}
	l.weigh()
	var trace, noise float64 // of M, and of M times the noise
	for i, v := range l.diagonal {
		trace += v
		noise = math.FMA(v, l.noise[i], noise)
	}
	// The trace of K^-1 K is n, and K is the Matern term, the linear one and the noise.
	signal := float64(n) - dot(l.alpha, l.y) - noise
	if m.linearAt >= 0 {
		linear := l.linearTrace()
		out[m.linearAt] += float64(0.5 * linear)
		signal -= linear
	}
	out[signalAt] += float64(0.5 * signal)
	out[noiseAt] += float64(0.5 * s.noise * trace)
	l.lengths(out)
	if m.skewAt >= 0 {
		l.skew(out)
	}
	if m.warpAt >= 0 {
		l.warps(out)
	}
}

// weigh multiplies the slopes below the diagonal by M, which makes them the derivatives of the loss
// by r2, and keeps the diagonal of M.
func (l *Likelihood) weigh() {
	n, stride := len(l.y), l.factor.stride
	l.factor.invert(l.inverse, stride)
	l.diagonal = append(l.diagonal[:0], l.alpha...)
	end := roundUp(n)
	for top := 0; top < n; top += panel {
		for j := 0; j < min(top+panel, n); j += 2 {
			for i := max(top, roundDown(j)); i < min(top+panel, n); i += lanes {
				var k [2 * lanes]float64 // of K^-1
				dots(&k, end-i, l.inverse[i*stride+i:], stride, l.inverse[j*stride+i:], stride)
				for r := j; r < min(j+2, n); r++ {
					l.weighColumn(k[lanes*(r-j):][:lanes], i, r)
				}
			}
		}
	}
}

// weighColumn does so for rows i to i+3 of column j, given K^-1 there.
func (l *Likelihood) weighColumn(k []float64, i, j int) {
	for c := range min(lanes, len(l.y)-i) {
		switch m := math.FMA(-l.alpha[i+c], l.alpha[j], k[c]); {
		case i+c > j:
			l.slope[(i+c)*l.factor.stride+j] *= m
		case i+c == j:
			l.diagonal[j] = m
		}
	}
}

// linearTrace returns the trace of M times the linear term, C C^T: |L^-1 C|^2 - |C^T alpha|^2.
func (l *Likelihood) linearTrace() float64 {
	n, first := len(l.y), l.model.real()+l.model.hamming()
	var sum float64
	l.solved = l.solved[:0]
	for k := first; k < l.z.width; k++ {
		column := l.z.column(k)
		l.solved = append(l.solved, column...)
		t := dot(column, l.alpha)
		sum -= float64(t * t)
	}
	l.factor.solve(l.solved, n, l.z.width-first, n)
	return sum + dot(l.solved, l.solved)
}

// lengths adds the derivatives by the logarithms of lengths: r2 has terms t/l^2.
func (l *Likelihood) lengths(out []float64) {
	m, real, end := l.model, l.model.real(), l.model.real()+l.model.hamming()
	l.scales.sums = zeroed(l.scales.sums, end)
	sums := l.scales.sums
	for i := range len(l.y) {
		l.gather(i)
		weights := l.slope[i*l.factor.stride:][:i]
		pullSquares(sums[:real], weights, l.z.values, l.z.stride, l.point[:real])
		pullUnequal(sums[real:], weights, l.z.values[real*l.z.stride:], l.z.stride, l.point[real:end])
	}
	for k, d := range m.continuous {
		out[lengthAt+d] -= 2 * sumLanes(&sums[k])
	}
	for k := len(m.continuous); k < real; k++ {
		out[m.activityAt] -= 2 * sumLanes(&sums[k])
	}
	for k, d := range m.categorical {
		out[lengthAt+d] -= float64(2 * sumLanes(&sums[real+k]) * l.scales.inverse[real+k])
	}
}

// warps adds the derivatives by the concentrations of each continuous dimension.
func (l *Likelihood) warps(out []float64) {
	pull := l.noise // by row, sum over the others of weight times difference; noise is done with
	for k := range l.model.continuous {
		z := l.z.column(k)
		clear(pull)
		for i, zi := range z {
			for j, w := range l.slope[i*l.factor.stride:][:i] {
				t := float64(w * (zi - z[j]))
				pull[i] += t
				pull[j] -= t
			}
		}
		at := l.model.warpAt + 2*k
		stretch := 2 * l.scales.inverse[k]
		for i, u := range l.raw.column(k) {
			_, da, db := kumaraswamySlopes(u, l.scales.a[k], l.scales.b[k])
			out[at] += float64(stretch * pull[i] * da)
			out[at+1] += float64(stretch * pull[i] * db)
		}
	}
}

// skew adds the derivatives by the weights of coordinates in others: r2 has the squares of differences
// of z, and z has weight times coordinate over length.
func (l *Likelihood) skew(out []float64) {
	pull := l.noise // by row, sum over the others of weight times difference; noise is done with
	at := l.model.skewAt
	for k := 1; k < len(l.model.continuous); k++ {
		z := l.z.column(k)
		clear(pull)
		for i, zi := range z {
			row := l.slope[i*l.factor.stride:][:i]
			own := 0.0
			for j, w := range row {
				t := float64(w * (zi - z[j]))
				own += t
				pull[j] -= t
			}
			pull[i] += own
		}
		stretch := 2 * l.scales.inverse[k]
		for j := range k {
			out[at] += float64(stretch * dot(pull, l.raw.column(j)))
			at++
		}
	}
}
