package goals

import (
	"fmt"

	"github.com/tuned-hpo/tuned/bench/latency"
)

// atMost is a row for one figure with two limits.
func atMost(goal, where, unit string, value, one, two float64, known bool) Row {
	r := Row{
		Goal: goal, Where: where, Measured: noFigure, One: Unknown, Two: Unknown,
		T1: fmt.Sprintf("%g %s", one, unit), T2: fmt.Sprintf("%g %s", two, unit),
	}
	if known {
		r.Measured = fmt.Sprintf("%.3g %s", value, unit)
		r.One, r.Two = verdict(value <= one), verdict(value <= two)
	}
	return r
}

// rung finds a measurement without pending trials.
func (f Figures) rung(optimizer string, dimension, n int) (latency.Rung, bool) {
	for _, l := range f.Ladders {
		if l.Optimizer != optimizer || l.Dimension != dimension || l.Pending != 0 {
			continue
		}
		for _, r := range l.Reached {
			if r.N == n {
				return r, true
			}
		}
	}
	return latency.Rung{}, false
}

// suggestions are the goals on what one suggestion costs.
func (f Figures) suggestions() []Row {
	var out []Row
	for _, g := range []struct {
		n        int
		one, two float64 // milliseconds of CPU
	}{{100, 12, 4}, {500, 40, 15}, {1000, 60, 20}, {10000, 60, 20}} {
		r, ok := f.rung(f.Ours, 10, g.n)
		out = append(out, atMost(f.Ours+": CPU of a suggestion", fmt.Sprintf("d=10, n=%d, median", g.n), "ms", float64(r.CPU50)*1e3, g.one, g.two, ok))
	}
	var first latency.First
	known := false
	for _, x := range f.Firsts {
		if x.Optimizer == f.Ours && x.Fault == "" {
			first, known = x, true
		}
	}
	out = append(out, atMost(f.Ours+": first suggestion", "from process start, median", "ms", float64(first.Wall50)*1e3, 5, 1, known))
	r, ok := f.rung(f.Ours, 10, 1000)
	return append(out, atMost(f.Ours+": memory", "d=10, n=1000, VmHWM", "MB", float64(r.Peak)/1e6, 100, 50, ok))
}

// tpe are the goals on the cost of TPE.
func (f Figures) tpe() []Row {
	r, ok := f.rung("tpe", 20, 1000)
	one := atMost("tpe: CPU of a suggestion", "d=20, n=1000, median", "ms", float64(r.CPU50)*1e3, 1, 1, ok)
	one.T2, one.Two = "", Nowhere
	var study latency.Study
	known := false
	for _, s := range f.Studies {
		if s.Optimizer == "tpe" && s.Dimension == 40 && s.Trials == 1000 && s.Fault == "" {
			study, known = s, true
		}
	}
	return []Row{one, atMost("tpe: CPU of a study", "d=40, 1000 trials", "s", study.CPU, 0.6, 0.3, known)}
}
