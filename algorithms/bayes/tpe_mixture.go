package bayes

import (
	"math"
	"math/rand/v2"
	"slices"
)

// mixture is a density over the parameters of a block: a weighted sum of kernels, one per trial, and
// the uniform density of the prior. A kernel is a product over parameters: of Gaussian densities
// truncated to the unit interval, of their masses on the levels of a short grid, of probabilities of
// labels.
type mixture struct {
	dims   []tpeDim // of all parameters
	smooth []int    // parameters with Gaussian kernels
	tables []levelTable
	n      int // kernels, without the prior

	centres []float64 // n by smooth: unit interval
	scale   []float64 // n by smooth: 1/(sqrt2 bandwidth)
	level   []int     // n by tables
	weight  []float64 // n, and that of the prior at the end: their sum is 1
	log     []float64 // n: ln of weight and of what normalises the Gaussians
	prior   float64   // ln of the weight of the prior
}

// levelTable is the kernels of one parameter with levels.
type levelTable struct {
	dim      int
	levels   int
	logPrior []float64 // ln of the mass of each level
	log      []float64 // levels by levels: ln of the mass that a kernel at the row puts on the column
}

// bandwidth fills sigma with the bandwidths of kernels at centres in [0, 1].
type bandwidth func(centres, sigma []float64)

// build makes the density of rows with weights, which are positive, and a prior.
func (m *mixture) build(space *tpeSpace, block *tpeBlock, rows [][]float64, weights []float64, prior float64, width bandwidth) {
	m.dims, m.n = space.dims, len(rows)
	m.smooth, m.tables = m.smooth[:0], m.tables[:0]
	for _, d := range block.dims {
		if space.dims[d].edges == nil {
			m.smooth = append(m.smooth, d)
		} else {
			m.tables = append(m.tables, levelTable{dim: d, levels: space.dims[d].levels()})
		}
	}
	m.weigh(weights, prior)
	m.placeSmooth(rows, width)
	m.placeLevels(rows, prior, width)
}

func (m *mixture) weigh(weights []float64, prior float64) {
	total := prior
	for _, w := range weights {
		total += w
	}
	m.weight = m.weight[:0]
	m.log = m.log[:0]
	for _, w := range weights {
		m.weight = append(m.weight, w/total)
		m.log = append(m.log, math.Log(w/total))
	}
	m.weight = append(m.weight, prior/total)
	m.prior = math.Log(prior / total)
}

func (m *mixture) placeSmooth(rows [][]float64, width bandwidth) {
	k := len(m.smooth)
	m.centres = slices.Grow(m.centres[:0], m.n*k)[:m.n*k]
	m.scale = slices.Grow(m.scale[:0], m.n*k)[:m.n*k]
	column, sigma := make([]float64, m.n), make([]float64, m.n)
	for j, d := range m.smooth {
		for i, row := range rows {
			column[i] = row[d]
		}
		width(column, sigma)
		for i, c := range column {
			m.centres[i*k+j] = c
			m.scale[i*k+j] = 1 / (math.Sqrt2 * sigma[i])
			m.log[i] -= math.Log(sigma[i]*(fastCDF((1-c)/sigma[i])-fastCDF(-c/sigma[i]))) + logRootTau
		}
	}
}

func (m *mixture) placeLevels(rows [][]float64, prior float64, width bandwidth) {
	k := len(m.tables)
	m.level = slices.Grow(m.level[:0], m.n*k)[:m.n*k]
	for j := range m.tables {
		t := &m.tables[j]
		for i, row := range rows {
			m.level[i*k+j] = int(row[t.dim])
		}
		d := &m.dims[t.dim]
		for c := range t.levels {
			t.logPrior = append(t.logPrior, math.Log(d.edges[c+1]-d.edges[c]))
		}
		t.log = make([]float64, t.levels*t.levels)
		if d.labels {
			t.fillLabels(m.n, prior)
		} else {
			t.fillGrid(d, rows, width)
		}
	}
}

// fillLabels gives a label what a trial with it and the prior, spread over all labels and trials,
// amount to.
func (t *levelTable) fillLabels(n int, prior float64) {
	share := prior / float64(n+1) / float64(t.levels)
	total := 1 + share*float64(t.levels)
	for c := range t.levels {
		for x := range t.levels {
			mass := share
			if c == x {
				mass++
			}
			t.log[c*t.levels+x] = math.Log(mass / total)
		}
	}
}

// fillGrid integrates the kernels over the cells.
func (t *levelTable) fillGrid(d *tpeDim, rows [][]float64, width bandwidth) {
	centres, sigma := make([]float64, len(rows)), make([]float64, len(rows))
	for i, row := range rows {
		k := int(row[t.dim])
		centres[i] = (d.edges[k] + d.edges[k+1]) / 2
	}
	width(centres, sigma)
	done := make([]bool, t.levels)
	for i, row := range rows {
		c := int(row[t.dim])
		if done[c] {
			continue
		}
		done[c] = true
		total := fastCDF((1-centres[i])/sigma[i]) - fastCDF(-centres[i]/sigma[i])
		for x := range t.levels {
			low, high := (d.edges[x]-centres[i])/sigma[i], (d.edges[x+1]-centres[i])/sigma[i]
			if low > 0 {
				low, high = -high, -low // the tail in which nothing cancels
			}
			t.log[c*t.levels+x] = math.Log(max(5e-324, (fastCDF(high)-fastCDF(low))/total))
		}
	}
}

// logDensity returns the logarithm of the density at x, which has a coordinate for every parameter.
func (m *mixture) logDensity(x []float64) float64 {
	top := m.prior
	for j := range m.tables {
		t := &m.tables[j]
		top += t.logPrior[int(x[t.dim])]
	}
	// The sum is kept as a multiple of e^top, beginning with the prior.
	sum := 1.0
	const negligible = 40 // e^-40 is below the last bit of a sum of 1
	for i := range m.n {
		q := m.logKernel(i, x, top-negligible)
		switch {
		case q > top:
			sum = sum*math.Exp(top-q) + 1
			top = q
		case q > top-negligible:
			sum += expDown(q - top)
		}
	}
	return top + math.Log(sum)
}

// logKernel returns the logarithm of kernel i with its weight at x, or some value below least if it
// is below.
func (m *mixture) logKernel(i int, x []float64, least float64) float64 {
	q := m.log[i]
	for j := range m.tables {
		t := &m.tables[j]
		q += t.log[m.level[i*len(m.tables)+j]*t.levels+int(x[t.dim])]
	}
	k := len(m.smooth)
	centres, scale := m.centres[i*k:(i+1)*k], m.scale[i*k:(i+1)*k]
	for j, d := range m.smooth {
		z := (x[d] - centres[j]) * scale[j]
		q -= z * z
	}
	return q
}

// draw draws from the density into x.
func (m *mixture) draw(r *rand.Rand, x []float64) {
	i, u := 0, r.Float64()
	for i < m.n && u >= m.weight[i] {
		u -= m.weight[i]
		i++
	}
	k := len(m.smooth)
	for j, d := range m.smooth {
		x[d] = r.Float64()
		if i < m.n {
			x[d] = drawTruncated(r, m.centres[i*k+j], 1/(math.Sqrt2*m.scale[i*k+j]))
		}
	}
	for j := range m.tables {
		t := &m.tables[j]
		row := t.logPrior
		if i < m.n {
			c := m.level[i*len(m.tables)+j]
			row = t.log[c*t.levels : (c+1)*t.levels]
		}
		x[t.dim] = float64(drawLevel(r, row))
	}
}

// drawTruncated draws from the normal distribution cut to [0, 1], in which the centre lies: more
// than a third of the draws are inside for every sigma up to 1.
func drawTruncated(r *rand.Rand, centre, sigma float64) float64 {
	for {
		if x := centre + float64(sigma*r.NormFloat64()); x >= 0 && x <= 1 {
			return x
		}
	}
}

func drawLevel(r *rand.Rand, logMass []float64) int {
	u := r.Float64()
	for k, l := range logMass {
		if u -= math.Exp(l); u < 0 {
			return k
		}
	}
	return len(logMass) - 1
}
