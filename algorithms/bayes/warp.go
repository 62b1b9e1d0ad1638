package bayes

import (
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/internal/elementary"
)

// warper turns losses into the scores that a Gaussian process models: higher is better, mean 0,
// variance 1. Scores do not change when losses are shifted or multiplied.
//
// Three steps follow Google Vizier (Song et al. 2024, arXiv:2408.11527, section 3.2). Losses worse
// than the median are replaced by normal quantiles of their ranks, so that no outlier flattens the
// rest; a logarithm then spreads the best ones; a trial without a loss gets a score well below all.
type warper struct {
	off    bool      // only standardize
	sorted []float64 // scratch: distinct finite values, ascending
	all    []float64 // scratch: finite values, ascending
}

// warp writes the scores of losses to out. A loss that is NaN or +Inf counts as failed, -Inf as the
// least of the finite ones.
func (w *warper) warp(losses, out []float64) {
	w.collect(losses)
	n := len(w.all)
	if n == 0 {
		clear(out)
		return
	}
	// Powers of 2 keep sums and squares within float64 and round nothing that matters.
	_, exp := math.Frexp(max(math.Abs(w.all[0]), math.Abs(w.all[n-1])))
	for i, v := range w.all {
		w.all[i] = -math.Ldexp(v, -exp)
	}
	slices.Reverse(w.all)
	for i, v := range losses {
		out[i] = math.NaN()
		switch {
		case math.IsInf(v, -1):
			out[i] = w.all[n-1]
		case !math.IsNaN(v) && !math.IsInf(v, 1):
			out[i] = -math.Ldexp(v, -exp)
		}
	}
	if !w.off {
		w.halfRank(out)
		logWarp(out)
	}
	fillFailed(out)
	standardize(out)
}

// collect sorts the finite losses.
func (w *warper) collect(losses []float64) {
	w.all = w.all[:0]
	for _, v := range losses {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			w.all = append(w.all, v)
		}
	}
	slices.Sort(w.all)
}

// halfRank replaces the values below the median by med + sd q(rank), where sd is the root mean
// square of the distinct values from the median up, about it, and q are quantiles of the normal
// distribution: what a sample would look like whose lower half mirrors the upper one.
func (w *warper) halfRank(y []float64) {
	n := len(w.all)
	median := float64(w.all[n/2]/2) + float64(w.all[(n-1)/2]/2)
	w.sorted = slices.Compact(append(w.sorted[:0], w.all...))
	below, onMedian := slices.BinarySearch(w.sorted, median)
	sd := rms(w.sorted[below:], median)
	if sd == 0 {
		sd = rms(w.sorted, median)
	}
	denominator := float64(below)
	if onMedian {
		denominator += 0.5
	}
	for i, v := range y {
		if v < median {
			k, _ := slices.BinarySearch(w.sorted, v)
			y[i] = median + float64(sd*normalQuantile(0.5*(float64(k)+0.5)/denominator))
		}
	}
}

// rms is the root mean square of y about a centre. Squares of what is left after division by the
// greatest do not underflow.
func rms(y []float64, centre float64) float64 {
	most, sum := 0.0, 0.0
	for _, v := range y {
		most = max(most, math.Abs(v-centre))
	}
	if most == 0 {
		return 0
	}
	for _, v := range y {
		r := (v - centre) / most
		sum += float64(r * r)
	}
	return most * math.Sqrt(sum/float64(len(y)))
}

// logWarp maps the best value to 1/2 and the worst to -1/2, with slope 3/2 : 1 between the ends:
// 1/2 - log_{3/2}(1 + (max-y)/(max-min)/2).
func logWarp(y []float64) {
	least, most := bounds(y)
	if most == least {
		for i, v := range y {
			y[i] = v - most // 0, or NaN
		}
		return
	}
	log := elementary.Log(1.5)
	for i, v := range y {
		y[i] = 0.5 - elementary.Log1p(0.5*(most-v)/(most-least))/log
	}
}

// fillFailed sets what is NaN to min - (range/2 + 1).
func fillFailed(y []float64) {
	least, most := bounds(y)
	for i, v := range y {
		if math.IsNaN(v) {
			y[i] = least - (float64(0.5*(most-least)) + 1)
		}
	}
}

// bounds returns the extremes of y without its NaN, of which there must be one.
func bounds(y []float64) (least, most float64) {
	least, most = math.Inf(1), math.Inf(-1)
	for _, v := range y {
		if v < least {
			least = v
		}
		if v > most {
			most = v
		}
	}
	return least, most
}

// average returns the mean of y.
func average(y []float64) float64 {
	sum := 0.0
	for _, v := range y {
		sum += v
	}
	return sum / float64(len(y))
}

// standardize shifts and scales y to mean 0 and variance 1, or to zeros when it is constant.
func standardize(y []float64) {
	mean := average(y)
	sd := rms(y, mean)
	if !(sd > 1e-13*math.Abs(mean)) { // no more than rounding
		clear(y)
		return
	}
	for i, v := range y {
		y[i] = (v - mean) / sd
	}
}
