package earlystop

import (
	"fmt"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
)

// MedianStop is Katib's rule by name and settings. It compares with the true median at each step; Katib's
// own arithmetic is there on request.
func MedianStop() algorithms.PrunerDefinition {
	return algorithms.PrunerDefinition{
		Name: "medianstop", Aliases: []string{"median"},
		Summary:   "stops a trial whose best value so far is worse than the median of the others at the same step",
		Reference: "Golovin, Solnik, Moitra, Kochanski, Karro and Sculley 2017, Google Vizier, section 3.2.2",
		Settings: []algorithms.Setting{
			wholeNumber("min_trials_required", 1, "3", "trials that must have succeeded before any is stopped"),
			wholeNumber("start_step", 1, "4", "first step at which a trial is stopped; with semantics katib, the number of its reports"),
			interval(),
			{
				Name: "semantics", Type: algorithms.StringSetting, Choices: []string{"median", "katib"}, Default: "median",
				Help: "katib: at the report with number start_step alone, against the mean over trials of the averages of their first start_step reports",
			},
		},
		Check: func(v algorithms.Values) error {
			if v.Text("semantics", "") == "katib" && v.Int("interval_steps", 1) != 1 {
				return fmt.Errorf("interval_steps has no meaning with semantics katib, which looks at a trial once")
			}
			return nil
		},
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Pruner, error) {
			u, trials := unit{p.Maximized}, int(v.Int("min_trials_required", 3))
			if v.Text("semantics", "") == "katib" {
				return meanOnce{unit: u, trials: trials, reports: int(v.Int("start_step", 4))}, nil
			}
			return percentile{unit: u, share: 50, trials: trials, atStep: 1, schedule: newSchedule(v)}, nil
		},
	}
}

// Percentile is the median rule for any other share.
func Percentile() algorithms.PrunerDefinition {
	return algorithms.PrunerDefinition{
		Name:      "percentile",
		Summary:   "stops a trial whose best value so far is not among the best share of the others at the same step",
		Reference: "Golovin, Solnik, Moitra, Kochanski, Karro and Sculley 2017, Google Vizier, section 3.2.2",
		Settings: []algorithms.Setting{
			{
				Name: "percentile", Type: algorithms.FloatSetting, Min: 0, Max: 100, Default: "25",
				Help: "share of trials that go on, in percent: 25 keeps the best quarter",
			},
			wholeNumber("min_trials_required", 0, "5", "trials that must have succeeded before any is stopped"),
			wholeNumber("min_trials_at_step", 1, "1", "of them, how many must have a value at the step"),
			wholeNumber("start_step", 0, "0", "first step at which a trial is stopped"),
			interval(),
		},
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Pruner, error) {
			return percentile{
				unit: unit{p.Maximized}, share: v.Float("percentile", 25), schedule: newSchedule(v),
				trials: int(v.Int("min_trials_required", 5)), atStep: int(v.Int("min_trials_at_step", 1)),
			}, nil
		},
	}
}

type percentile struct {
	unit
	schedule
	share  float64 // of trials that go on, in percent
	trials int     // that must have succeeded
	atStep int     // of them, that must have a value at the step
}

func (p percentile) Prune(running algorithms.Trial, others []algorithms.Trial) algorithms.Decision {
	if !p.due(running.Curve) {
		return goOn
	}
	step := running.Curve[len(running.Curve)-1].Step
	succeeded, values := 0, make([]float64, 0, len(others))
	for i := range others {
		if others[i].State != algorithms.Succeeded {
			continue
		}
		succeeded++
		if loss, ok := at(others[i].Curve, step); ok {
			values = append(values, loss)
		}
	}
	if succeeded == 0 || succeeded < p.trials {
		return goOn
	}
	own, seen := least(running.Curve), len(values)
	if math.IsNaN(own) {
		return stop(fmt.Sprintf("step %d: no value so far is a number", step))
	}
	if seen < p.atStep {
		return goOn
	}
	values = slices.DeleteFunc(values, math.IsNaN)
	if len(values) == 0 {
		return goOn
	}
	limit := quantile(values, p.share/100)
	if !(own > limit) {
		return goOn
	}
	return stop(fmt.Sprintf("step %d: best value so far %s is %s %s, the %s of %s",
		step, p.text(own), p.worse(), p.text(limit), p.name(), plural(len(values), "trial")))
}

// name of the limit, in the metric's order of values.
func (p percentile) name() string {
	share := p.share
	if share == 50 {
		return "median"
	}
	if p.maximized {
		share = 100 - share
	}
	return fmt.Sprintf("percentile %g", share)
}

// quantile returns the value below which the given share of values lies, interpolated linearly between
// neighbours (definition 7 of Hyndman and Fan 1996). It changes their order.
func quantile(values []float64, share float64) float64 {
	place := float64(share * float64(len(values)-1))
	i := int(place)
	low := selected(values, i)
	if i+1 == len(values) {
		return low
	}
	high := slices.Min(values[i+1:])
	if low == high {
		return low // of infinities there is no difference
	}
	t := place - float64(i)
	if t < 0.5 {
		return low + float64((high-low)*t)
	}
	return high - float64((high-low)*(1-t))
}

// selected puts the value that belongs at place k of ascending order there, those that are no larger
// before it, and returns it (Hoare 1961, algorithm 65: find).
func selected(values []float64, k int) float64 {
	low, high := 0, len(values)-1
	for low < high {
		pivot, i, j := values[k], low, high
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for pivot < values[j] {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i++
				j--
			}
		}
		if j < k {
			low = i
		}
		if k < i {
			high = j
		}
	}
	return values[k]
}

// meanOnce is the arithmetic of Katib's medianstop: at the report with number start_step, and only then,
// a trial's best value so far is compared with the mean, over the trials that have succeeded, of the average
// of their first start_step reports. Averages that are no number are left out, on which Katib fails.
type meanOnce struct {
	unit
	trials, reports int
}

func (m meanOnce) Prune(running algorithms.Trial, others []algorithms.Trial) algorithms.Decision {
	if len(running.Curve) != m.reports {
		return goOn
	}
	sum, n := 0.0, 0
	for i := range others {
		if others[i].State != algorithms.Succeeded || len(others[i].Curve) == 0 {
			continue
		}
		if average := mean(others[i].Curve[:min(m.reports, len(others[i].Curve))]); !math.IsNaN(average) {
			sum += average
			n++
		}
	}
	limit, own := sum/float64(n), least(running.Curve)
	if n < m.trials || !(own > limit) {
		return goOn
	}
	return stop(fmt.Sprintf("report %d: best value so far %s is %s %s, the mean of %s over their first %s",
		m.reports, m.text(own), m.worse(), m.text(limit), plural(n, "trial"), plural(m.reports, "report")))
}

func mean(curve []algorithms.Measurement) float64 {
	sum := 0.0
	for _, m := range curve {
		sum += m.Loss
	}
	return sum / float64(len(curve))
}
