package earlystop

import (
	"fmt"

	"github.com/tuned-hpo/tuned/algorithms"
)

// Patience stops what no longer improves.
func Patience() algorithms.PrunerDefinition {
	return algorithms.PrunerDefinition{
		Name: "patience", Aliases: []string{"patient"},
		Summary:   "stops a trial whose last reports bring nothing better",
		Reference: "Prechelt 1998, Early stopping - but when?",
		Settings: []algorithms.Setting{
			wholeNumber("patience", 0, "10", "reports that a trial may go on without a better value"),
			{
				Name: "min_delta", Type: algorithms.FloatSetting, Min: 0, Max: algorithms.Unbounded, Default: "0",
				Help: "a trial goes on although its last reports are worse than its best by no more than this",
			},
		},
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Pruner, error) {
			return patience{unit{p.Maximized}, int(v.Int("patience", 10)), v.Float("min_delta", 0)}, nil
		},
	}
}

type patience struct {
	unit
	reports int
	delta   float64
}

func (p patience) Prune(running algorithms.Trial, _ []algorithms.Trial) algorithms.Decision {
	cut := len(running.Curve) - p.reports - 1
	if cut <= 0 {
		return goOn
	}
	before, since := least(running.Curve[:cut]), least(running.Curve[cut:])
	if !(before+p.delta < since) {
		return goOn
	}
	last := running.Curve[len(running.Curve)-1]
	return stop(fmt.Sprintf("step %d: the best of the last %s is %s, %s the %s that it had before",
		last.Step, plural(p.reports+1, "report"), p.text(since), p.worse(), p.text(before)))
}
