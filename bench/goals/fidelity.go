package goals

import (
	"fmt"
	"strings"

	"github.com/tuned-hpo/tuned/bench/fidelity"
)

// fidelitySets are the sets that the goals of trials in epochs are measured on: the first one has instances and seeds that nobody
// tuned on.
var fidelitySets = []string{"fidelity-claim/", "fidelity/"}

// early are the goals of algorithms that train many trials for few epochs: the epochs for what the best of a family of peers ends with,
// and workers that always have something to train.
func (f Figures) early() []Row {
	var out []Row
	for _, family := range []string{"optuna", "synetune"} {
		blank := Row{
			Goal: "epochs for the quality of " + family, Where: "curves24-d5", Measured: noFigure, One: Unknown, Two: Unknown,
			T1: "<= 90 % of its own", T2: "<= 70 %",
		}
		out = append(out, orBlank(f.onCurves(func(s fidelity.Section) (Row, bool) { return shareRow(blank, s, family) }), blank)...)
	}
	blank := Row{Goal: "no worker waits while there are epochs", Where: "16 workers", Measured: noFigure, One: Unknown, T1: "0 waits"}
	return append(out, orBlank(f.onCurves(func(s fidelity.Section) (Row, bool) { return waitRow(blank, s) }), blank)...)
}

// onCurves makes rows of all sections.
func (f Figures) onCurves(row func(fidelity.Section) (Row, bool)) []Row {
	var out []Row
	for _, set := range fidelitySets {
		for _, s := range f.Curves {
			if r, ok := row(s); ok && strings.HasPrefix(s.Suite, set) {
				out = append(out, r)
			}
		}
	}
	return out
}

// shareRow compares the best of ours, which is that with the least mean regret at the end, with the best of a family.
func shareRow(r Row, s fidelity.Section, family string) (Row, bool) {
	ours, peer := leader(s, true, ""), leader(s, false, family+"-")
	for _, x := range s.Shares {
		if x.Ours == ours && x.Peer == peer {
			r.Where = fmt.Sprintf("%s@%d", s.Suite, s.Workers)
			r.Measured = fmt.Sprintf("%s [%s, %s] of %s; %s", fidelity.Percent(x.Mean), fidelity.Percent(x.Low), fidelity.Percent(x.High), peer, ours)
			r.One, r.Two = verdict(x.Mean <= 0.9), verdict(x.Mean <= 0.7)
			return r, true
		}
	}
	return r, false
}

// leader is the optimizer with the least mean regret at the end, of ours or of those with a prefix.
func leader(s fidelity.Section, ours bool, prefix string) (name string) {
	least := 0.0
	for _, c := range s.Scores {
		if len(c.Curve) == 0 || c.Ours != ours || !strings.HasPrefix(c.Optimizer, prefix) {
			continue
		}
		if end := c.Curve[len(c.Curve)-1]; name == "" || end < least {
			name, least = c.Optimizer, end
		}
	}
	return name
}

func waitRow(r Row, s fidelity.Section) (Row, bool) {
	waits, studies := 0, 0
	for _, c := range s.Scores {
		if c.Ours {
			waits, studies = waits+c.Waits, studies+c.Studies
		}
	}
	r.Where = fmt.Sprintf("%s@%d", s.Suite, s.Workers)
	r.Measured = fmt.Sprintf("%d waits in %d studies", waits, studies)
	r.One = verdict(waits == 0)
	return r, s.Workers == 16 && studies > 0
}
