// Package earlystop holds the rules that stop trials early: each is a pure function of the curves so
// far, so that nothing about it is stored and a decision can be repeated at any time.
//
// A curve is the losses of the first objective by ascending step. Rules compare losses; what they say is
// in the metric's own units.
package earlystop

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/tuned-hpo/tuned/algorithms"
)

// Definitions returns all rules.
func Definitions() []algorithms.PrunerDefinition {
	return []algorithms.PrunerDefinition{
		MedianStop(), Percentile(), SuccessiveHalving(), Threshold(), Patience(), Wilcoxon(),
	}
}

var goOn = algorithms.Decision{}

func stop(reason string) algorithms.Decision { return algorithms.Decision{Stop: true, Reason: reason} }

// schedule says which measurements of a curve are looked at: the first at or after start, and from then
// on the first in each interval of steps.
type schedule struct{ start, interval int64 }

func newSchedule(v algorithms.Values) schedule {
	return schedule{v.Int("start_step", 0), v.Int("interval_steps", 1)}
}

// due reports whether the last measurement is one of them.
func (s schedule) due(curve []algorithms.Measurement) bool {
	n := len(curve)
	if n == 0 || curve[n-1].Step < s.start {
		return false
	}
	into := curve[n-1].Step - s.start
	return n == 1 || curve[n-2].Step < s.start+into-into%s.interval
}

// at returns the loss at a step. Most curves have every step, so that its place is known; looking for it
// would cost ten times as much.
func at(curve []algorithms.Measurement, step int64) (loss float64, ok bool) {
	if len(curve) == 0 {
		return 0, false
	}
	if i := uint64(step - curve[0].Step); i < uint64(len(curve)) && curve[i].Step == step {
		return curve[i].Loss, true
	}
	i, ok := slices.BinarySearchFunc(curve, step, byStep)
	if !ok {
		return 0, false
	}
	return curve[i].Loss, true
}

func byStep(m algorithms.Measurement, step int64) int { return cmp.Compare(m.Step, step) }

// least returns the smallest loss of a curve, NaN when none is a number.
func least(curve []algorithms.Measurement) float64 {
	out := math.NaN()
	for _, m := range curve {
		if m.Loss < out || math.IsNaN(out) {
			out = m.Loss
		}
	}
	return out
}

// unit turns losses back into values of the metric.
type unit struct{ maximized bool }

func (u unit) value(loss float64) float64 {
	if u.maximized {
		return -loss
	}
	return loss
}

func (u unit) text(loss float64) string {
	return strconv.FormatFloat(u.value(loss), 'g', 6, 64)
}

// worse is where a larger loss lies.
func (u unit) worse() string {
	if u.maximized {
		return "below"
	}
	return "above"
}

// plural counts things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

func wholeNumber(name string, atLeast float64, def, help string) algorithms.Setting {
	return algorithms.Setting{Name: name, Type: algorithms.IntSetting, Min: atLeast, Max: algorithms.Unbounded, Default: def, Help: help}
}

func interval() algorithms.Setting {
	return wholeNumber("interval_steps", 1, "1", "steps between two looks at a trial, counted from start_step")
}
