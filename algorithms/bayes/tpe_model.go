package bayes

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// tpeModel is the densities of good and of bad trials over the parameters of one block.
type tpeModel struct {
	space *tpeSpace
	block *tpeBlock
	trial []int       // of the history: the trials in which the block is active, ascending
	rows  [][]float64 // their coordinates
	order []int       // those of them that may be good, best first

	good     parzen
	goodRows [][]float64
	weights  []float64 // by goodRows

	bad   parzen // has a kernel for every row, and then for pending trials
	told  int    // kernels of rows
	count int    // of kernels, rounded, for which the bandwidths of bad were set; -1 for none
	out   []int  // rows that are good, and so do not count in bad
}

// Chosen by measurement: see bench/ablations-tpe.md.
const (
	goodBandwidth  = 0.17 // in standard deviations of good trials, at one kernel
	leastBandwidth = 0.02 // of good trials, in the unit interval
	cellBandwidth  = 0.35 // the least of good trials, in cells of a grid
	badBandwidth   = 0.1  // in the unit interval, at one kernel
	badWindow      = 5000 // bad trials that count: the newest ones
)

func newTPEModel(space *tpeSpace, block *tpeBlock, prior float64) *tpeModel {
	return &tpeModel{
		space: space, block: block, count: -1,
		good: newParzen(space, block, prior), bad: newParzen(space, block, prior),
	}
}

// tell takes in a trial of the history.
func (m *tpeModel) tell(h *tpeHistory, trial int, x []float64) {
	if m.block.in(x) {
		m.trial = append(m.trial, trial)
		m.rows = append(m.rows, x)
		m.order = h.insert(m.order, trial)
	}
}

// refresh makes the densities those of the history and of pending trials, which count as bad. What
// is good is told apart among the trials in which the block is active: of parameters that matter for
// few trials, too, there are good values.
func (m *tpeModel) refresh(h *tpeHistory, gamma float64, pending [][]float64) {
	m.unmute()
	m.fitGood(h.good(m.order, gamma))
	m.fitBad(len(pending))
	m.mute()
	for _, x := range pending {
		m.lie(x)
	}
}

// unmute lets good trials count in the density of the bad ones.
func (m *tpeModel) unmute() {
	for _, i := range m.out {
		m.bad.offset[i] = m.bad.normalizer(m.rows[i], 1)
	}
}

// mute lets good trials and those before the window not count in the density of the bad ones.
func (m *tpeModel) mute() {
	m.bad.first = max(0, m.bad.kernels()-badWindow)
	m.bad.total -= float64(m.bad.first)
	for _, i := range m.out {
		m.bad.offset[i] = math.Inf(-1)
		if i >= m.bad.first {
			m.bad.total--
		}
	}
}

// fitGood makes the density of good trials.
func (m *tpeModel) fitGood(good []int, weights []float64) {
	m.out, m.goodRows, m.weights = m.out[:0], m.goodRows[:0], weights
	sum := 0.0
	for k, trial := range good {
		i, _ := slices.BinarySearch(m.trial, trial)
		m.out = append(m.out, i)
		m.goodRows = append(m.goodRows, m.rows[i])
		sum += weights[k]
	}
	n := float64(len(m.goodRows))
	m.good.clear()
	for j, d := range m.good.smooth {
		m.good.widen(j, max(leastBandwidth, m.spreadOf(d)*goodBandwidth*m.shrink(n)))
	}
	for j := range m.good.lists {
		l := &m.good.lists[j]
		if l.labels {
			l.smoothe(evenShare(m.good.prior, n, l.at.levels()))
			continue
		}
		floor := cellBandwidth / float64(l.at.levels())
		l.widen(max(floor, leastBandwidth, m.spreadOf(l.dim)*goodBandwidth*m.shrink(n)))
	}
	for i, row := range m.goodRows {
		m.weights[i] *= n / sum
		m.good.add(row, m.weights[i])
	}
}

// shrink is the factor by which the bandwidth of n kernels is less than that of one (Scott 1992,
// Multivariate density estimation, eq. 6.42).
func (m *tpeModel) shrink(n float64) float64 {
	return fastExp(-elementary.Log(max(n, 1)) / float64(len(m.block.dims)+4))
}

// spreadOf returns the standard deviation of a parameter among good trials and the prior, as a
// multiple of that of the prior.
func (m *tpeModel) spreadOf(d int) float64 {
	dim := &m.space.dims[d]
	at := func(x float64) float64 {
		if dim.edges != nil {
			return dim.middle(x)
		}
		return x
	}
	mean := 0.5
	for _, row := range m.goodRows {
		mean += at(row[d])
	}
	n := float64(len(m.goodRows) + 1)
	mean /= n
	const uniform = 1.0 / 12 // variance of the prior
	sum := uniform
	for _, row := range m.goodRows {
		e := at(row[d]) - mean
		sum += float64(e * e)
	}
	return math.Sqrt(sum / n / uniform)
}

// evenShare is the probability with which a kernel of n and of the prior stands for any of the
// labels: as if the prior had given each label its weight over n+1.
func evenShare(prior, n float64, labels int) float64 {
	each := float64(prior / (n + 1) * float64(labels))
	return each / (1 + each)
}

// fitBad gives every row a kernel in the density of bad trials, with bandwidths for some pending
// trials more. Bandwidths change when the number of kernels has grown by a fourth; only then are all
// kernels made anew.
func (m *tpeModel) fitBad(pending int) {
	m.bad.truncate(m.told)
	if count := roundedCount(len(m.rows) + pending); count != m.count {
		m.count = count
		m.widenBad(float64(count))
		m.bad.clear()
	}
	for _, x := range m.rows[m.bad.kernels():] {
		m.bad.add(x, 1)
	}
	m.told = len(m.rows)
}

// roundedCount rounds n down to one of the numbers 0, 1, 2, ..., each about a fourth more than the
// one before.
func roundedCount(n int) int {
	count := 0
	for next := 1; next <= n; next = count + 1 + count/4 {
		count = next
	}
	return count
}

func (m *tpeModel) widenBad(n float64) {
	sigma := badBandwidth * m.shrink(n)
	for j := range m.bad.smooth {
		m.bad.widen(j, sigma)
	}
	for j := range m.bad.lists {
		if l := &m.bad.lists[j]; l.labels {
			l.smoothe(evenShare(m.bad.prior, n, l.at.levels()))
		} else {
			l.widen(sigma)
		}
	}
}

// lie adds a pending trial to the bad ones.
func (m *tpeModel) lie(x []float64) {
	if m.block.in(x) {
		m.bad.add(x, 1)
	}
}

// ratio returns the logarithm of the ratio of the densities of good and bad trials at x, or some
// value below least as soon as it is below.
func (m *tpeModel) ratio(x []float64, least float64) float64 {
	good := m.good.logDensity(x, math.Inf(1))
	return good - m.bad.logDensity(x, good-least)
}

// draw draws from the density of good trials into x.
func (m *tpeModel) draw(r *rand.Rand, x []float64) { m.good.draw(r, m.goodRows, m.weights, x) }
