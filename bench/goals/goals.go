// Package goals compares the figures of the bench with what the project set itself to reach.
package goals

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/bench/fidelity"
	"github.com/tuned-hpo/tuned/bench/latency"
	"github.com/tuned-hpo/tuned/bench/report"
)

// Figures are what the bench measured. Of a suite that several reports hold, the first counts.
type Figures struct {
	Reports []*report.Report
	Ladders []latency.Ladder
	Firsts  []latency.First
	Studies []latency.Study
	Curves  []fidelity.Section
	Ours    string // name of the optimizer that the goals are for
}

// Verdict is whether a goal is reached.
type Verdict string

// The verdicts.
const (
	Holds    Verdict = "holds"
	Fails    Verdict = "fails"
	Unknown  Verdict = "not measured"
	Nowhere  Verdict = "" // there is no such goal
	noFigure         = "-"
)

// Row is one goal beside its figure.
type Row struct {
	Goal     string  `json:"goal"`
	Where    string  `json:"where"` // suite, or setting of the measurement
	Measured string  `json:"measured"`
	T1       string  `json:"t1"` // must hold
	One      Verdict `json:"one"`
	T2       string  `json:"t2"` // where we are going
	Two      Verdict `json:"two"`
}

// Rows compares the figures with all goals.
func Rows(f Figures) []Row {
	return slices.Concat(f.continuous(), f.others(), f.tables(), f.mixed(), f.conditional(), f.async(), f.auto(), f.suggestions(), f.tpe(), f.fronts(), f.cmaes(), f.early())
}

// Table is the rows as a table.
func Table(rows []Row) *report.Table {
	t := &report.Table{
		Title:  "Goals: T1 must hold, T2 is where we are going",
		Header: []string{"goal", "where", "measured", "T1", "", "T2", ""},
		Left:   true,
	}
	for _, r := range rows {
		t.Add(r.Goal, r.Where, r.Measured, r.T1, string(r.One), r.T2, string(r.Two))
	}
	return t
}

// sets in the order in which their figures count: a claim is made on problems that nobody tuned on.
var sets = []string{"claim", "full", "quick"}

// sections returns the sections with one worker of the named suites, of the first set that has any.
func (f Figures) sections(names ...string) []report.Section {
	for _, set := range sets {
		var out []report.Section
		for _, name := range names {
			if s, ok := f.section(set+"/"+name, 1); ok {
				out = append(out, s)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

func (f Figures) section(suite string, workers int) (report.Section, bool) {
	for _, r := range f.Reports {
		for _, s := range r.Sections {
			if s.Suite == suite && s.Workers == workers {
				return s, true
			}
		}
	}
	return report.Section{}, false
}

// pair returns our comparison with a peer.
func (f Figures) pair(s report.Section, peer string) (report.Pair, bool) {
	for _, p := range s.Pairs {
		if p.Ours == f.Ours && p.Peer == peer {
			return p, true
		}
	}
	return report.Pair{}, false
}

func normalized(s report.Section, optimizer string) float64 {
	for _, c := range s.Scores {
		if c.Optimizer == optimizer {
			return float64(c.Normalized[2])
		}
	}
	return math.NaN()
}

func verdict(holds bool) Verdict {
	if holds {
		return Holds
	}
	return Fails
}

// continuous are the goals on functions of real numbers, against the strongest peer.
func (f Figures) continuous() []Row {
	const peer = "optuna-gp"
	blank := Row{
		Goal: f.Ours + " - " + peer, Where: "bbob24 d=5, 10", Measured: noFigure, One: Unknown, Two: Unknown,
		T1: "upper end < 0 at N/4, N/2, N; mean <= -0.30 at N/2, N; of random at N <= peer's", T2: "mean <= -0.50 at N/2, N",
	}
	var out []Row
	for _, s := range f.sections("bbob24-d5", "bbob24-d10") {
		p, ok := f.pair(s, peer)
		if !ok {
			continue
		}
		r := blank
		d := p.Difference
		ours, theirs := normalized(s, f.Ours), normalized(s, peer)
		r.Where = s.Suite
		r.Measured = fmt.Sprintf("%s; %s; %s; of random %.3f, %.3f", d[0], d[1], d[2], ours, theirs)
		r.One = verdict(d[0].High < 0 && d[1].High < 0 && d[2].High < 0 && d[1].Mean <= -0.30 && d[2].Mean <= -0.30 && ours <= theirs)
		r.Two = verdict(d[1].Mean <= -0.50 && d[2].Mean <= -0.50)
		out = append(out, r)
	}
	return orBlank(out, blank)
}

// others are the goals against further peers, on whatever suites they ran. The suite with the
// highest upper end decides.
func (f Figures) others() []Row {
	var out []Row
	for _, family := range []string{"hebo", "vizier", "smac", "ax"} {
		r := Row{
			Goal: f.Ours + " - " + family, Where: "all suites", Measured: noFigure, One: Unknown, Two: Unknown,
			T1: "interval at N includes or is below 0, on each suite", T2: "upper end < 0 on each",
		}
		var pairs []report.Pair
		var suites []string
		for _, rep := range f.Reports {
			for _, s := range rep.Sections {
				for _, p := range s.Pairs {
					if p.Ours == f.Ours && (p.Peer == family || strings.HasPrefix(p.Peer, family+"-")) {
						pairs, suites = append(pairs, p), append(suites, fmt.Sprintf("%s@%d", s.Suite, s.Workers))
					}
				}
			}
		}
		if len(pairs) > 0 {
			low := func(p report.Pair) float64 { return p.Difference[2].Low }
			high := func(p report.Pair) float64 { return p.Difference[2].High }
			worst := slices.MaxFunc(pairs, func(a, b report.Pair) int { return cmp.Compare(high(a), high(b)) })
			r.Where = strings.Join(suites, ", ")
			r.Measured = "worst " + worst.Difference[2].String()
			r.One = verdict(!slices.ContainsFunc(pairs, func(p report.Pair) bool { return low(p) > 0 }))
			r.Two = verdict(high(worst) < 0)
		}
		out = append(out, r)
	}
	return out
}

func orBlank(rows []Row, blank Row) []Row {
	if len(rows) == 0 {
		return []Row{blank}
	}
	return rows
}
