package main

import "math"

var sparkBars = []rune("▁▂▃▄▅▆▇█")

// sparkline draws values as bars between their least and their greatest finite one, at most width
// (at least 1) runes wide; longer series are thinned to the last value of each stretch. A value
// that is not finite is a dot, and values that are all equal are drawn at half height.
func sparkline(values []float64, width int) string {
	values = thin(values, width)
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if finite(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	bars := make([]rune, len(values))
	for i, v := range values {
		bars[i] = sparkBar(v, low, high)
	}
	return string(bars)
}

func sparkBar(v, low, high float64) rune {
	top := float64(len(sparkBars) - 1)
	switch {
	case !finite(v):
		return '·'
	case low == high:
		return sparkBars[len(sparkBars)/2]
	}
	// Halved first, so that the width of the widest range does not overflow.
	share := (v/2 - low/2) / (high/2 - low/2)
	return sparkBars[int(math.Round(share*top))]
}

// thin keeps the last value of each of width stretches.
func thin(values []float64, width int) []float64 {
	n := len(values)
	if n <= width {
		return values
	}
	out := make([]float64, width)
	for i := range out {
		out[i] = values[(i+1)*n/width-1]
	}
	return out
}

// bestSoFar returns, per value, the best finite one up to there; NaN before there is any.
func bestSoFar(values []float64, better func(a, b float64) bool) []float64 {
	out := make([]float64, len(values))
	best := math.NaN()
	for i, v := range values {
		if finite(v) && (math.IsNaN(best) || better(v, best)) {
			best = v
		}
		out[i] = best
	}
	return out
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
