package goals

import (
	"fmt"
	"strings"

	"github.com/tuned-hpo/tuned/bench/report"
)

// limit is a mean that must not be exceeded against one peer.
type limit struct {
	peer     string
	one, two float64 // powers of ten
}

// against compares at one checkpoint with limits for several peers. It is not ok where one of the
// pairs is missing.
func (f Figures) against(s report.Section, checkpoint int, limits []limit) (text string, one, two, ok bool) {
	one, two = true, true
	var parts []string
	for _, l := range limits {
		p, found := f.pair(s, l.peer)
		if !found {
			return "", false, false, false
		}
		d := p.Difference[checkpoint]
		parts = append(parts, fmt.Sprintf("%s %s", l.peer, d))
		one = one && d.High < 0 && d.Mean <= l.one
		two = two && d.High < 0 && d.Mean <= l.two
	}
	return strings.Join(parts, "; "), one, two, true
}

// tables are the goals on tables of real searches.
func (f Figures) tables() []Row {
	blank := Row{
		Goal: f.Ours + " on real tables", Where: "hpotab15", Measured: noFigure, One: Unknown, Two: Unknown,
		T1: "at N <= -0.15 to optuna-gp, <= -0.25 to optuna-tpe, upper ends < 0", T2: "-0.30, -0.40",
	}
	var out []Row
	for _, s := range f.sections("hpotab15-open", "hpotab15-hidden") {
		r := blank
		text, one, two, ok := f.against(s, 2, []limit{{"optuna-gp", -0.15, -0.30}, {"optuna-tpe", -0.25, -0.40}})
		if !ok {
			continue
		}
		r.Where, r.Measured, r.One, r.Two = s.Suite, text, verdict(one), verdict(two)
		out = append(out, r)
	}
	return orBlank(out, blank)
}

// mixed are the goals on spaces with levels and categories.
func (f Figures) mixed() []Row {
	blank := Row{
		Goal: f.Ours + " on levels, categories", Where: "mixint24, cat24", Measured: noFigure, One: Unknown, Two: Unknown,
		T1: "at N/2 upper ends < 0 to optuna-gp and optuna-tpe", T2: "at N <= -0.15",
	}
	peers := []limit{{"optuna-gp", 0, -0.15}, {"optuna-tpe", 0, -0.15}}
	var out []Row
	for _, s := range f.sections("mixint24-d5", "mixint24-d10", "cat24-d5", "cat24-d10") {
		half, one, _, ok := f.against(s, 1, peers)
		if !ok {
			continue
		}
		end, _, two, _ := f.against(s, 2, peers)
		r := blank
		r.Where, r.Measured, r.One, r.Two = s.Suite, "N/2: "+half+"; N: "+end, verdict(one), verdict(two)
		out = append(out, r)
	}
	return orBlank(out, blank)
}

// conditional is the goal on trees of parameters.
func (f Figures) conditional() []Row {
	blank := Row{
		Goal: f.Ours + " on conditional trees", Where: "cond8", Measured: noFigure, One: Unknown, Two: Unknown,
		T1: "at N <= -0.3 to optuna-tpe-group", T2: "<= -0.5",
	}
	var out []Row
	for _, s := range f.sections("cond8") {
		r := blank
		p, ok := f.pair(s, "optuna-tpe-group")
		if !ok {
			continue
		}
		d := p.Difference[2]
		r.Where, r.Measured, r.One, r.Two = s.Suite, d.String(), verdict(d.Mean <= -0.3), verdict(d.Mean <= -0.5)
		out = append(out, r)
	}
	return orBlank(out, blank)
}

// async is the goal with 8 trials at a time.
func (f Figures) async() []Row {
	const workers = 8
	blank := Row{
		Goal: f.Ours + " with 8 workers", Where: "any suite", Measured: noFigure, One: Unknown, Two: Unknown,
		T1: "at N within 0.10 of itself with one; no duplicate pending", T2: "<= -0.2 to optuna-gp with 8",
	}
	var out []Row
	for _, rep := range f.Reports {
		for _, a := range rep.Async {
			if a.Optimizer != f.Ours || a.Workers != workers {
				continue
			}
			r := blank
			r.Where = a.Suite
			r.Measured = fmt.Sprintf("%s, %d duplicates", a.Difference, a.Pending)
			r.One = verdict(a.Difference.Mean <= 0.10 && a.Pending == 0)
			if s, ok := f.section(a.Suite, workers); ok {
				if p, ok := f.pair(s, "optuna-gp"); ok {
					r.Measured += "; optuna-gp " + p.Difference[2].String()
					r.Two = verdict(p.Difference[2].Mean <= -0.2)
				}
			}
			out = append(out, r)
		}
	}
	return orBlank(out, blank)
}
