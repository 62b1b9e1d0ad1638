package bayes

import (
	"math"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// tpeList is the kernels of one parameter with levels.
type tpeList struct {
	dim      int
	at       *tpeDim
	labels   bool
	logPrior []float64 // by level: ln of its share of the unit interval
	sigma    float64   // of a grid: bandwidth in the unit interval
	other    float64   // of labels: probability of a draw from all labels
	log      []float64 // see column
	tail     []float64 // scratch, by edge
}

func newTPEList(dim int, at *tpeDim) tpeList {
	l := tpeList{dim: dim, at: at, labels: at.labels, tail: make([]float64, len(at.edges))}
	n := at.levels()
	for k := range n {
		l.logPrior = append(l.logPrior, elementary.Log(at.edges[k+1]-at.edges[k]))
	}
	if l.labels {
		l.log = make([]float64, 2*n-1)
	} else {
		l.log = make([]float64, n*n)
	}
	return l
}

// column returns, by the level of a kernel, ln of the probability that the kernel gives to level k.
func (l *tpeList) column(k int) []float64 {
	n := l.at.levels()
	if l.labels {
		return l.log[n-1-k : 2*n-1-k] // its element k is element n-1 of log
	}
	return l.log[k*n : (k+1)*n]
}

// smoothe sets the probability that the kernel of a label gives to all labels evenly.
func (l *tpeList) smoothe(other float64) {
	l.other = other
	n := l.at.levels()
	each := other / float64(n)
	for i := range l.log {
		l.log[i] = elementary.Log(each)
	}
	l.log[n-1] = elementary.Log(1 - other + each)
}

// widen integrates Gaussians about each level of a grid over all cells.
func (l *tpeList) widen(sigma float64) {
	if l.sigma == sigma {
		return
	}
	l.sigma = sigma
	n := l.at.levels()
	for c := range n {
		centre := l.at.middle(float64(c))
		for k, e := range l.at.edges {
			l.tail[k] = fastCDF(-math.Abs(e-centre) / sigma)
		}
		inside := 1 - l.tail[0] - l.tail[n]
		for k := range n {
			mass := math.Abs(l.tail[k+1] - l.tail[k])
			if k == c {
				mass = 1 - l.tail[k+1] - l.tail[k]
			}
			l.log[k*n+c] = elementary.Log(max(mass/inside, math.SmallestNonzeroFloat64))
		}
	}
}
