package bayes

import (
	"math"
	"math/rand/v2"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// parzen is a density over the parameters of a block: a weighted sum of kernels, one per trial, and
// of the uniform density, the prior. A kernel is a product over parameters: of Gaussian densities
// truncated to the unit interval, of their integrals over the cells of a short grid, of
// probabilities of labels. The bandwidth of a parameter is the same for all kernels.
type parzen struct {
	space  *tpeSpace
	smooth []int       // parameters with Gaussian kernels
	lists  []tpeList   // parameters with levels
	sigma  []float64   // by smooth: bandwidth in the unit interval, at most 1
	scale  []float64   // by smooth: 1/(sqrt2 sigma)
	prior  float64     // weight of the prior
	total  float64     // sum of all weights, that of the prior included
	first  int         // kernels before this one do not count
	centre []float64   // kernels by smooth: times scale
	level  []uint16    // kernels by lists
	offset []float64   // by kernel: ln of its weight and of what normalises its Gaussians
	y      []float64   // scratch, by smooth
	column [][]float64 // scratch, by lists
}

// negligible is how far below the largest term, in logarithms, a term is left out of a sum.
const negligible = 30 // 10^5 terms of e^-30 are below 10^-8 of the sum

func newParzen(space *tpeSpace, block *tpeBlock, prior float64) parzen {
	p := parzen{space: space, prior: prior}
	for _, d := range block.dims {
		if dim := &space.dims[d]; dim.edges == nil {
			p.smooth = append(p.smooth, d)
		} else {
			p.lists = append(p.lists, newTPEList(d, dim))
		}
	}
	k := len(p.smooth)
	p.sigma, p.scale, p.y = make([]float64, k), make([]float64, k), make([]float64, k)
	p.column = make([][]float64, len(p.lists))
	p.clear()
	return p
}

func (p *parzen) kernels() int { return len(p.offset) }

// clear removes all kernels.
func (p *parzen) clear() { p.truncate(0) }

// truncate removes all kernels but the first n, which have weight 1.
func (p *parzen) truncate(n int) {
	p.centre, p.level, p.offset = p.centre[:n*len(p.smooth)], p.level[:n*len(p.lists)], p.offset[:n]
	p.total = p.prior + float64(n)
}

// widen sets the bandwidth of a smooth parameter. The kernels must be added anew.
func (p *parzen) widen(j int, sigma float64) {
	p.sigma[j], p.scale[j] = sigma, 1/(math.Sqrt2*sigma)
}

// add adds a kernel at the coordinates x of a trial.
func (p *parzen) add(x []float64, weight float64) {
	for j, d := range p.smooth {
		p.centre = append(p.centre, x[d]*p.scale[j])
	}
	for j := range p.lists {
		p.level = append(p.level, uint16(x[p.lists[j].dim]))
	}
	p.offset = append(p.offset, p.normalizer(x, weight))
	p.total += weight
}

// normalizer returns ln of the weight over the integrals of the Gaussians within the unit interval.
func (p *parzen) normalizer(x []float64, weight float64) float64 {
	log, product := 0.0, weight
	for j, d := range p.smooth {
		s := p.sigma[j]
		product /= s * math.Sqrt(2*math.Pi) * (fastCDF((1-x[d])/s) - fastCDF(-x[d]/s))
		if product > 1e200 { // of very many parameters
			log += elementary.Log(product)
			product = 1
		}
	}
	return log + elementary.Log(product)
}

// logDensity returns the logarithm of the density at x, which has a coordinate for every parameter,
// or some value above most as soon as it is above. On grids and labels it is that of a probability.
func (p *parzen) logDensity(x []float64, most float64) float64 {
	top := p.open(x)
	logTotal := elementary.Log(p.total)
	sum := 1.0 // as a multiple of e^top, beginning with the prior
	stop := fastExp(clampExp(most + logTotal - top))
	// The newest kernels are the nearest as a rule, which makes it above soonest.
	for i := len(p.offset) - 1; i >= p.first && sum <= stop; i-- {
		q := p.offset[i]
		for j, l := range p.level[i*len(p.lists) : (i+1)*len(p.lists)] {
			q += p.column[j][l]
		}
		q = nearness(q, top-negligible, p.y, p.centre[i*len(p.y):])
		switch {
		case q > top:
			sum = float64(sum*fastExp(clampExp(top-q))) + 1
			top = q
			stop = fastExp(clampExp(most + logTotal - top))
		case q > top-negligible:
			sum += fastExp(q - top)
		}
	}
	return top + elementary.Log(sum) - logTotal
}

// open prepares to sum over kernels at x, and returns the logarithm of the prior there, with its
// weight.
func (p *parzen) open(x []float64) float64 {
	prior := elementary.Log(p.prior)
	for j := range p.lists {
		l := &p.lists[j]
		k := int(x[l.dim])
		prior += l.logPrior[k]
		p.column[j] = l.column(k)
	}
	for j, d := range p.smooth {
		p.y[j] = x[d] * p.scale[j]
	}
	return prior
}

// clampExp brings x into the domain of fastExp.
func clampExp(x float64) float64 { return max(-700, min(x, 700)) }

// nearness returns q less the squared distance of y and c, or some value below least as soon as it
// is below.
func nearness(q, least float64, y, c []float64) float64 {
	for len(y) >= 4 && q > least {
		_ = c[3]
		d0, d1, d2, d3 := y[0]-c[0], y[1]-c[1], y[2]-c[2], y[3]-c[3]
		q -= (float64(d0*d0) + float64(d1*d1)) + (float64(d2*d2) + float64(d3*d3))
		y, c = y[4:], c[4:]
	}
	if q > least {
		for j, v := range y {
			d := v - c[j]
			q -= float64(d * d)
		}
	}
	return q
}

// draw draws from the density into x.
func (p *parzen) draw(r *rand.Rand, rows [][]float64, weights []float64, x []float64) {
	i := pickWeighted(r, weights, p.prior)
	for j, d := range p.smooth {
		if i < 0 {
			x[d] = r.Float64()
			continue
		}
		x[d] = drawTruncated(r, rows[i][d], p.sigma[j])
	}
	for j := range p.lists {
		l := &p.lists[j]
		switch {
		case i < 0 || l.labels && r.Float64() < l.other:
			x[l.dim] = float64(l.at.level(r.Float64()))
		case l.labels:
			x[l.dim] = rows[i][l.dim]
		default:
			x[l.dim] = float64(l.at.level(drawTruncated(r, l.at.middle(rows[i][l.dim]), l.sigma)))
		}
	}
}

// pickWeighted returns a position in weights with probability in proportion to its weight, and -1
// with that of the rest.
func pickWeighted(r *rand.Rand, weights []float64, rest float64) int {
	total := rest
	for _, w := range weights {
		total += w
	}
	u := r.Float64() * total
	for i, w := range weights {
		if u -= w; u < 0 {
			return i
		}
	}
	return -1
}

// drawTruncated draws from the normal distribution cut to [0, 1], in which the centre lies: more
// than a third of the draws are inside for every sigma up to 1.
func drawTruncated(r *rand.Rand, centre, sigma float64) float64 {
	for {
		if x := centre + float64(sigma*drawNormal(r)); x >= 0 && x <= 1 {
			return x
		}
	}
}
