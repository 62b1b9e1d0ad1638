package main

import (
	"fmt"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// learned is what an experiment took over from an earlier one when it was created.
type learned struct {
	from     experiment.Key
	finished int // trials of that one that had a result
	trials   int // those of them that fit
}

// learnedBy is what an experiment took over.
func learnedBy(e *experiment.Experiment) (out []learned) {
	for i := range e.Priors {
		p := &e.Priors[i]
		out = append(out, learned{p.Key(), p.Finished, len(p.Trials)})
	}
	return out
}

// learnedIn is what an experiment took over that the daemon sent whole.
func learnedIn(m *tunedv1.Experiment) (out []learned) {
	for _, v := range m.GetObject().GetFields()["warmStart"].GetListValue().GetValues() {
		f := v.GetStructValue().GetFields()
		out = append(out, learned{
			experiment.Key{Namespace: f["namespace"].GetStringValue(), Name: f["name"].GetStringValue()},
			int(f["finished"].GetNumberValue()), int(f["learned"].GetNumberValue()),
		})
	}
	return out
}

// sayWhatIsKnown tells what an experiment has learned from earlier ones.
func (a *app) sayWhatIsKnown(e *experiment.Experiment, list []learned) {
	for _, l := range list {
		if l.trials == 0 {
			fmt.Fprintf(a.stderr, "warning: nothing is learned from %s: it has %s with a result, and none lies in this search space and has a value of %s\n",
				l.from, plural(l.finished, "trial"), e.Spec.Objective.ObjectiveMetricName)
			continue
		}
		fmt.Fprintf(a.stderr, "%s learns from %s\n", e.Metadata.Name, l)
	}
}

// String says how much was taken over, and from where.
func (l learned) String() string {
	return fmt.Sprintf("%d of the %s with a result of %s", l.trials, plural(l.finished, "trial"), l.from)
}
