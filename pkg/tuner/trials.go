package tuner

import (
	"cmp"
	"iter"
	"slices"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// own returns a trial that may be changed: what readers see is copied before.
func (d *driver) own(number uint64) *experiment.Trial {
	t := d.trials[number-1]
	if number <= uint64(len(d.shown.trials)) && t == &d.shown.trials[number-1] {
		t = new(*t)
		d.trials[number-1] = t
	}
	return t
}

// pointers returns where trials are.
func pointers(trials []experiment.Trial) []*experiment.Trial {
	return slices.AppendSeq(make([]*experiment.Trial, 0, cap(trials)), each(trials))
}

// values returns copies of trials.
func values(trials []*experiment.Trial) []experiment.Trial {
	out := make([]experiment.Trial, len(trials))
	for i, t := range trials {
		out[i] = *t
	}
	return out
}

// each yields trials without copying them.
func each(trials []experiment.Trial) iter.Seq[*experiment.Trial] {
	return func(yield func(*experiment.Trial) bool) {
		for i := range trials {
			if !yield(&trials[i]) {
				return
			}
		}
	}
}

// finishedSince returns the trials that finished after the given finish number, in the order of finishing.
func finishedSince(trials iter.Seq[*experiment.Trial], finishNo uint64) (out []*experiment.Trial) {
	for t := range trials {
		if t.FinishNo > finishNo {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *experiment.Trial) int { return cmp.Compare(a.FinishNo, b.FinishNo) })
	return out
}
