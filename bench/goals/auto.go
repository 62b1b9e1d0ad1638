package goals

import (
	"fmt"
	"math"

	"github.com/tuned-hpo/tuned/bench/report"
)

// chooser is the algorithm that chooses among the others.
const chooser = "auto"

// auto is the goal of the algorithm that chooses: to be as good as whichever of ours is best on each suite that both did.
// The suite where it falls behind most decides.
func (f Figures) auto() []Row {
	r := Row{
		Goal: chooser + " - best single one of ours", Where: "each suite", Measured: noFigure, One: Unknown, Two: Unknown,
		T1: "at N within 0.05 on each", T2: "below 0 on each",
	}
	suites, worst := 0, math.Inf(-1)
	for _, rep := range f.Reports {
		for _, s := range rep.Sections {
			p, ok := bestSingle(s)
			if !ok {
				continue
			}
			suites++
			if d := p.Difference[2]; d.Mean > worst {
				worst = d.Mean
				r.Measured = fmt.Sprintf("worst %s: %s %s", s.Suite, p.Peer, d)
			}
		}
	}
	if suites > 0 {
		r.Where = fmt.Sprintf("%d suites", suites)
		r.One, r.Two = verdict(worst <= 0.05), verdict(worst < 0)
	}
	return []Row{r}
}

// bestSingle returns the comparison of the one that chooses with the best of ours in a section.
func bestSingle(s report.Section) (best report.Pair, ok bool) {
	least := math.Inf(1)
	for _, p := range s.Pairs {
		if p.Peer == chooser {
			p = mirrored(p)
		}
		if p.Ours != chooser {
			continue
		}
		for _, c := range s.Scores {
			if v := float64(c.LogRegret[2]); c.Optimizer == p.Peer && c.Ours && v < least {
				best, least, ok = p, v, true
			}
		}
	}
	return best, ok
}

// mirrored is a comparison seen from the other side.
func mirrored(p report.Pair) report.Pair {
	p.Ours, p.Peer = p.Peer, p.Ours
	for c, d := range p.Difference {
		p.Difference[c] = report.Interval{Mean: 0 - d.Mean, Low: 0 - d.High, High: 0 - d.Low} // no -0
	}
	return p
}
