package earlystop

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/tuned-hpo/tuned/algorithms"
)

// SuccessiveHalving stops trials at rungs, without waiting for others to get there.
func SuccessiveHalving() algorithms.PrunerDefinition {
	return algorithms.PrunerDefinition{
		Name: "successivehalving", Aliases: []string{"asha"},
		Summary:   "lets one trial in reduction_factor go on at each rung, whose steps grow by that factor",
		Reference: "Li, Jamieson, Rostamizadeh, Gonina, Hardt, Recht and Talwalkar 2020, A system for massively parallel hyperparameter tuning, algorithm 2",
		Settings: []algorithms.Setting{
			wholeNumber("min_resource", 0, "0", "step of the first rung; 0 is a hundredth of the last step of the first trial that succeeded, before which nothing is stopped"),
			wholeNumber("reduction_factor", 2, "4", "one trial in so many goes on"),
			wholeNumber("min_early_stopping_rate", 0, "0", "the first rung is at min_resource times reduction_factor to this power"),
			wholeNumber("bootstrap_count", 0, "0", "a trial is stopped at a rung unless more trials than this have come there"),
		},
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Pruner, error) {
			return halving{
				unit: unit{p.Maximized}, resource: v.Int("min_resource", 0), factor: v.Int("reduction_factor", 4),
				rate: int(v.Int("min_early_stopping_rate", 0)), bootstrap: int(v.Int("bootstrap_count", 0)),
			}, nil
		},
	}
}

type halving struct {
	unit
	resource, factor int64
	rate, bootstrap  int
}

func (h halving) Prune(running algorithms.Trial, others []algorithms.Trial) algorithms.Decision {
	n := len(running.Curve)
	if n == 0 {
		return goOn
	}
	last := running.Curve[n-1]
	rung := h.first(others)
	for ; rung > 0 && rung <= last.Step; rung = h.next(rung) {
		if n > 1 && running.Curve[n-2].Step >= rung {
			continue // decided at an earlier measurement
		}
		if math.IsNaN(last.Loss) {
			return stop(fmt.Sprintf("step %d: the value is no number", last.Step))
		}
		if d := h.judge(last, rung, others); d.Stop {
			return d
		}
	}
	return goOn
}

// first returns the step of the first rung, 0 while it is not known or where it is beyond any step.
func (h halving) first(others []algorithms.Trial) int64 {
	rung := h.resource
	for i := 0; rung == 0 && i < len(others); i++ {
		if c := others[i].Curve; others[i].State == algorithms.Succeeded && len(c) > 0 {
			rung = max(c[len(c)-1].Step/100, 1)
		}
	}
	for range h.rate {
		rung = h.next(rung)
	}
	return rung
}

// next returns the step of the rung after one, 0 where there is none.
func (h halving) next(rung int64) int64 {
	if rung > math.MaxInt64/h.factor {
		return 0
	}
	return rung * h.factor
}

// judge compares the value with which a trial comes to a rung with those of the trials that came before.
func (h halving) judge(last algorithms.Measurement, rung int64, others []algorithms.Trial) algorithms.Decision {
	values := make([]float64, 1, 1+len(others))
	values[0] = last.Loss
	for i := range others {
		if loss, ok := h.came(&others[i], rung); ok {
			values = append(values, loss)
		}
	}
	came := len(values)
	if came <= h.bootstrap {
		return stop(fmt.Sprintf("step %d: no more than %s came to rung %d, of which none goes on (bootstrap_count)",
			last.Step, plural(h.bootstrap, "trial"), rung))
	}
	slices.Sort(values)
	limit := values[max(came/int(h.factor), 1)-1]
	if last.Loss <= limit {
		return goOn
	}
	return stop(fmt.Sprintf("step %d: value %s is %s %s, that of the best 1 in %d of %s that came to rung %d",
		last.Step, h.text(last.Loss), h.worse(), h.text(limit), h.factor, plural(came, "trial"), rung))
}

// came returns the loss with which a trial came to a rung. One that was stopped at its last measurement
// came no further than the first of the rungs that this one crossed.
func (h halving) came(t *algorithms.Trial, rung int64) (loss float64, ok bool) {
	i := sort.Search(len(t.Curve), func(i int) bool { return t.Curve[i].Step >= rung })
	if i == len(t.Curve) || math.IsNaN(t.Curve[i].Loss) {
		return 0, false
	}
	if t.State == algorithms.Pruned && i == len(t.Curve)-1 && i > 0 && rung/h.factor > t.Curve[i-1].Step {
		return 0, false
	}
	return t.Curve[i].Loss, true
}
