package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// chosen is what an experiment has found: the best trial by spec.objective and, with several
// objectives, the Pareto front.
type chosen struct {
	Best  *bestTrial  `json:"best"`                  // null when no trial qualifies
	Front []bestTrial `json:"front,omitempty"`       // by the first objective; nil with one objective
	Kept  []kept      `json:"constraints,omitempty"` // one per constraint

	metrics []string // of all objectives and constraints
	columns int      // of the terminal that it is printed to; 0: none
}

// kept is a constraint and how many trials keep it.
type kept struct {
	Metric string  `json:"metric"`
	Max    *number `json:"max,omitempty"`
	Min    *number `json:"min,omitempty"`
	Kept   int     `json:"kept"`   // trials that keep it
	Trials int     `json:"trials"` // trials with a result

	text string
}

// newChosen looks for the best among an experiment's trials, which are ordered by number. logs tells where these keep theirs.
func newChosen(e *experiment.Experiment, trials []experiment.Trial, logs logs) chosen {
	s := &e.Spec
	tally := experiment.NewTally(s, trials)
	c := chosen{Kept: keptBy(s, trials), metrics: s.Needed()}
	if best, ok := tally.Best(); ok {
		c.Best = new(newBestTrial(&best, s.Objective, logs))
	}
	if several(s) {
		c.Front = []bestTrial{}
		for _, number := range tally.Front() {
			c.Front = append(c.Front, newBestTrial(&trials[number-1], s.Objective, logs))
		}
	}
	return c
}

// keptBy counts, per constraint, the trials that keep it.
func keptBy(s *experiment.Spec, trials []experiment.Trial) []kept {
	var out []kept
	for i := range s.Constraints() {
		c := &s.Constraints()[i]
		k := kept{Metric: c.MetricName, Max: optional(c.Max), Min: optional(c.Min), text: bounds(c)}
		for j := range trials {
			if t := &trials[j]; hasResult(t, s) {
				k.Trials++
				if c.Holds(s.ValueOf(t)(c.MetricName)) {
					k.Kept++
				}
			}
		}
		out = append(out, k)
	}
	return out
}

func optional(v *float64) *number {
	if v == nil {
		return nil
	}
	return new(number(*v))
}

// infeasible reports whether trials have results, and so were judged by constraints.
func infeasible(constraints []kept) bool { return len(constraints) > 0 && constraints[0].Trials > 0 }

// hasResult reports whether a trial ended with a value of each objective.
func hasResult(t *experiment.Trial, s *experiment.Spec) bool {
	return (t.State == experiment.TrialSucceeded || t.State == experiment.TrialEarlyStopped) &&
		!slices.ContainsFunc(s.Losses(s.ValueOf(t)), math.IsNaN)
}

// several reports whether an experiment has more objectives than one.
func several(s *experiment.Spec) bool { return s.Tuned != nil && len(s.Tuned.Objectives) > 0 }

// bounds is a constraint in words: latency <= 100.
func bounds(c *experiment.Constraint) string {
	switch {
	case c.Min == nil:
		return fmt.Sprintf("%s <= %s", c.MetricName, exact(*c.Max))
	case c.Max == nil:
		return fmt.Sprintf("%s >= %s", c.MetricName, exact(*c.Min))
	}
	return fmt.Sprintf("%s <= %s <= %s", exact(*c.Min), c.MetricName, exact(*c.Max))
}

// brokenBy returns what a trial measured that is beyond its bounds.
func brokenBy(s *experiment.Spec, t *experiment.Trial) (out []string) {
	for i := range s.Constraints() {
		c := &s.Constraints()[i]
		if v := s.ValueOf(t)(c.MetricName); !c.Holds(v) {
			out = append(out, c.MetricName+"="+short(v))
		}
	}
	return out
}

// noneFeasible says that of so many trials with a result none is feasible.
func noneFeasible(trials int) string {
	if trials == 1 {
		return "1 trial has a result, it is not feasible"
	}
	return fmt.Sprintf("%d trials have a result, none is feasible", trials)
}

func keptText(constraints []kept) string {
	words := make([]string, len(constraints))
	for i, k := range constraints {
		words[i] = fmt.Sprintf("%s in %d of %d", k.text, k.Kept, k.Trials)
	}
	return strings.Join(words, ", ")
}

// print writes what was found for people.
func (c *chosen) print(w io.Writer) {
	switch {
	case c.Front != nil && c.Best != nil:
		c.printFront(w)
	case c.Best != nil:
		fmt.Fprintf(w, "Best trial:  %s\n", c.Best.Trial)
		fmt.Fprintf(w, "Metrics:     %s\n", c.Best.metricText())
		fmt.Fprintf(w, "Parameters:  %s\n", visible(c.Best.Flags))
	}
	if len(c.Kept) > 0 {
		fmt.Fprintf(w, "Constraints: %s\n", keptText(c.Kept))
	}
}

// printFront writes the Pareto front as a table.
func (c *chosen) printFront(w io.Writer) {
	text := fmt.Sprintf("%d trials, of which none is as good as another in all objectives", len(c.Front))
	if len(c.Front) == 1 {
		text = "1 trial, which is as good as any in all objectives"
	}
	fmt.Fprintf(w, "Front:       %s\n", text)
	t := table{header: append(append([]string{"trial"}, c.metrics...), "parameters")}
	for i := range c.Front {
		b := &c.Front[i]
		cells := []string{b.Trial}
		for _, metric := range c.metrics {
			cells = append(cells, exact(float64(b.Metrics[metric])))
		}
		t.add(append(cells, b.Flags)...)
	}
	t.indentWithin(w, c.columns)
}

// markFront says of each trial whether it is on the front, which has the given numbers.
func markFront(records []trialRecord, numbers []uint64) {
	on := make(map[uint64]bool, len(numbers))
	for _, n := range numbers {
		on[n] = true
	}
	for i := range records {
		records[i].Front = new(on[records[i].Number])
	}
}

func yesNo(v *bool) string {
	switch {
	case v == nil:
		return ""
	case *v:
		return "yes"
	}
	return "no"
}
