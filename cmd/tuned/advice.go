package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tuned-hpo/tuned/internal/elementary"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// adviceFor says what a person might do about an experiment as it stands, what matters most first.
func adviceFor(w *whole) []string {
	out := []string{}
	out = append(out, adviceOnState(w)...)
	out = append(out, adviceOnFailures(w)...)
	out = append(out, adviceOnEdges(w)...)
	for _, f := range advise(&w.Spec) {
		out = append(out, f.Error())
	}
	return out
}

// adviceOnState says how it goes on.
func adviceOnState(w *whole) (out []string) {
	m, name := w.message, w.Metadata.Name
	if m.GetNamespace() != defaultNamespace {
		name += " -n " + m.GetNamespace()
	}
	if m.GetTrouble() != "" {
		out = append(out, "the last step was put off and is tried again: "+m.GetTrouble())
	}
	switch {
	case m.GetState() == "Paused":
		out = append(out, "it is paused: tuned resume "+name+" goes on")
	case m.GetExternal() && !m.GetCompleted() && m.GetCounts().GetTrials() == 0:
		out = append(out, "it has no command to run: tuned ask "+name+" hands out trials")
	case m.GetState() == string(experiment.Failed):
		out = append(out, "once the cause is removed, tuned resume "+name+" goes on; tuned extend "+name+" --max-failed N allows more failures")
	case m.GetReason() == "ExperimentMaxTrialsReached":
		out = append(out, "its budget is used up: tuned extend "+name+" --max-trials +N tries more")
	case m.GetReason() == "ExperimentMaxDurationReached":
		out = append(out, "its time is used up: tuned extend "+name+" --max-duration D gives more")
	case m.GetReason() == "ExperimentMaxCostReached":
		out = append(out, "its cost is used up: tuned extend "+name+" --max-cost C gives more")
	case m.GetReason() == "ExperimentGoalReached":
		out = append(out, "the goal is reached: tuned best "+name+" shows where; tuned resume "+name+" looks for better")
	}
	return out
}

// adviceOnFailures points to what went wrong in trials.
func adviceOnFailures(w *whole) (out []string) {
	groups := groupFailures(w.trials, "")
	for _, g := range groups[:min(len(groups), shownFailures)] {
		out = append(out, fmt.Sprintf("%s (%s): tuned logs %s %s shows what the first one printed", failureTitle(g), g.Reason, w.Metadata.Name, g.Trials[0]))
	}
	return out
}

// atEdge is how near to an end of its range, as a share of it, a best value suggests a wider range.
const atEdge = 0.01

// enoughTrials is how many trials must have ended before the place of the best says something.
const enoughTrials = 10

// adviceOnEdges names ranges whose end the best trial is at.
func adviceOnEdges(w *whole) (out []string) {
	best := w.message.GetBest()
	if best == nil || len(w.trials) < enoughTrials {
		return nil
	}
	for i := range w.Spec.Parameters {
		p := &w.Spec.Parameters[i]
		for _, a := range best.GetAssignments() {
			if a.GetName() != p.Name {
				continue
			}
			switch at := placeInRange(p, a.GetValue()); {
			case at <= atEdge:
				out = append(out, fmt.Sprintf("the best %s, %s, is at the lower end of its range: a smaller min may do better", p.Name, a.GetValue()))
			case at >= 1-atEdge:
				out = append(out, fmt.Sprintf("the best %s, %s, is at the upper end of its range: a larger max may do better", p.Name, a.GetValue()))
			}
		}
	}
	return out
}

// placeInRange is where a value lies in its parameter's range, from 0 to 1 on the range's scale; NaN where
// that says nothing.
func placeInRange(p *experiment.ParameterSpec, value string) float64 {
	f := &p.FeasibleSpace
	low, errLow := strconv.ParseFloat(f.Min, 64)
	high, errHigh := strconv.ParseFloat(f.Max, 64)
	v, err := strconv.ParseFloat(value, 64)
	few := p.ParameterType == "int" && high-low < 1/atEdge // each value is much of the range
	if errLow != nil || errHigh != nil || err != nil || few || !(high > low) {
		return math.NaN()
	}
	if low > 0 && strings.HasPrefix(f.Distribution, "log") {
		low, high, v = elementary.Log(low), elementary.Log(high), elementary.Log(v)
	}
	return (v - low) / (high - low)
}
