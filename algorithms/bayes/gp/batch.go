package gp

// PredictBatch is Predict for k points: x is k by d, one row per point; mean and variance have k
// elements. It is several times as fast as k calls, and gives the same bits.
func (p *Posterior) PredictBatch(x, mean, variance []float64) {
	d, n := len(p.model.config.Dimensions), p.Len()
	check(len(x) == len(mean)*d && len(mean) == len(variance))
	stride := p.factor.stride
	for top := 0; top < len(mean); top += panel {
		rows := min(panel, len(mean)-top)
		for i := range rows {
			k := p.batch[i*stride:][:n]
			p.point(x[(top+i)*d:][:d])
			p.model.row(&p.scales, &p.rows, p.z, k, p.slope[:n])
			mean[top+i] = dot(k[:len(p.alpha)], p.alpha)
			variance[top+i] = p.model.variance(&p.scales, p.z)
		}
		p.factor.solve(p.batch, stride, rows, n)
		for i := range rows {
			v := p.batch[i*stride:][:n]
			variance[top+i] = remaining(variance[top+i], dot(v, v))
		}
	}
}

// Means writes the means that PredictBatch would, at a fraction of the cost.
func (p *Posterior) Means(x, mean []float64) {
	d, n := len(p.model.config.Dimensions), len(p.alpha)
	check(len(x) == len(mean)*d)
	for i := range mean {
		p.point(x[i*d:][:d])
		p.model.row(&p.scales, &p.rows, p.z, p.k[:p.Len()], p.slope[:p.Len()])
		mean[i] = dot(p.k[:n], p.alpha)
	}
}

// LeaveOneOut writes, for each row with a target, the mean and the variance, noise included, of the
// target given the other targets: y - alpha/c and 1/c, c the diagonal of K^-1 (Dubrule 1983). It
// allocates. O(n^3).
func (p *Posterior) LeaveOneOut(mean, variance []float64) {
	n := len(p.y)
	check(len(mean) == n && len(variance) == n)
	leading := p.factor
	leading.n = n
	v := make([]float64, roundUp(n)*roundUp(n))
	leading.invert(v, roundUp(n))
	for i, y := range p.y {
		row := v[i*roundUp(n):][roundDown(i):n]
		variance[i] = 1 / dot(row, row)
		mean[i] = y - float64(p.alpha[i]*variance[i])
	}
}
