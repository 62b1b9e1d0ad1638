package earlystop

import (
	"errors"
	"fmt"
	"math"

	"github.com/tuned-hpo/tuned/algorithms"
)

// Threshold stops what leaves a range of values.
func Threshold() algorithms.PrunerDefinition {
	bound := func(name, help string) algorithms.Setting {
		return algorithms.Setting{Name: name, Type: algorithms.FloatSetting, Help: help}
	}
	return algorithms.PrunerDefinition{
		Name:    "threshold",
		Summary: "stops a trial whose value is no number or leaves a range",
		Settings: []algorithms.Setting{
			bound("lower", "a trial with a value below this is stopped"),
			bound("upper", "a trial with a value above this is stopped"),
			wholeNumber("start_step", 0, "0", "first step at which a trial is stopped"),
			interval(),
		},
		Check: func(v algorithms.Values) error {
			lower, upper := bounds(v)
			if math.IsInf(lower, 0) && math.IsInf(upper, 0) {
				return errors.New("give lower, upper or both")
			}
			if lower > upper {
				return fmt.Errorf("lower is %g, above upper, which is %g", lower, upper)
			}
			return nil
		},
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Pruner, error) {
			lower, upper := bounds(v)
			return threshold{unit{p.Maximized}, newSchedule(v), lower, upper}, nil
		},
	}
}

func bounds(v algorithms.Values) (lower, upper float64) {
	return v.Float("lower", math.Inf(-1)), v.Float("upper", math.Inf(1))
}

type threshold struct {
	unit
	schedule
	lower, upper float64 // in the metric's units
}

func (t threshold) Prune(running algorithms.Trial, _ []algorithms.Trial) algorithms.Decision {
	if !t.due(running.Curve) {
		return goOn
	}
	last := running.Curve[len(running.Curve)-1]
	switch value := t.value(last.Loss); {
	case math.IsNaN(value):
		return stop(fmt.Sprintf("step %d: the value is no number", last.Step))
	case value < t.lower:
		return stop(fmt.Sprintf("step %d: value %s is below %g", last.Step, t.text(last.Loss), t.lower))
	case value > t.upper:
		return stop(fmt.Sprintf("step %d: value %s is above %g", last.Step, t.text(last.Loss), t.upper))
	}
	return goOn
}
