package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/internal/elementary"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// adviceFor says what a person might do about an experiment as it stands, what matters most first. Its commands
// look where p does.
func adviceFor(p *place, w *whole) []string {
	out := []string{}
	if trouble := w.message.GetTrouble(); trouble != "" {
		out = append(out, "it was put off and is tried again: "+trouble)
	}
	if text := adviceOnState(p, w); text != "" {
		out = append(out, text)
	}
	if text := outlookText(w.Experiment, w.trials); text != "" {
		out = append(out, text)
	}
	out = append(out, adviceOnFailures(p, w)...)
	out = append(out, adviceOnEdges(w)...)
	if w.message.GetCompleted() {
		return out // what the settings would have needed was said before it began
	}
	for _, f := range advise(&w.Spec) {
		out = append(out, f.Error())
	}
	return out
}

// adviceOnState says how it goes on; "" when it does by itself.
func adviceOnState(p *place, w *whole) string {
	m, b := w.message, w.message.GetBudget()
	key := experiment.Key{Namespace: m.GetNamespace(), Name: w.Metadata.Name}
	do := func(verb string, words ...string) string { return p.hintDriven(w.driven, key, verb, words...) }
	if !w.driven && !m.GetCompleted() && m.GetState() != statePaused {
		return "no daemon drives it: " + p.hintServe() + ", or the tuned run that began it, goes on"
	}
	failures := int(m.GetCounts().GetFailed() + m.GetCounts().GetMetricsUnavailable())
	switch {
	case m.GetState() == statePaused:
		return "it is paused: " + do("resume") + " goes on"
	case m.GetExternal() && !m.GetCompleted() && m.GetCounts().GetTrials() == 0:
		return "it has no command to run: " + do("ask") + " hands out trials"
	case m.GetReason() == experiment.ReasonStopped:
		return "it was stopped: " + do("resume") + " goes on"
	case m.GetState() == string(experiment.Failed) && b != nil && b.MaxFailedTrials != nil && failures >= int(b.GetMaxFailedTrials()):
		more := fmt.Sprint(failures + max(1, int(b.GetMaxFailedTrials())))
		return "once the cause is removed, " + do("extend", "--max-failed", more) + " lets it go on until so many trials have failed"
	case m.GetState() == string(experiment.Failed):
		return "once the cause is removed, " + do("resume") + " goes on"
	case m.GetReason() == "ExperimentMaxTrialsReached":
		return fmt.Sprintf("its budget is used up: %s tries %d more", do("extend", "--max-trials", fmt.Sprintf("+%d", b.GetMaxTrials())), b.GetMaxTrials())
	case m.GetReason() == "ExperimentMaxDurationReached":
		return "its time is used up: " + do("extend", "--max-duration", (2*b.GetMaxDuration().AsDuration()).String()) + " gives as much again"
	case m.GetReason() == "ExperimentMaxCostReached":
		return "its cost is used up: " + do("extend", "--max-cost", exact(2*b.GetMaxCost())) + " gives as much again"
	case m.GetReason() == experiment.ReasonConverged:
		return "further trials were not worth it: " + do("best") + " shows what was found; " + do("resume") + " goes on until its budget is used up"
	case m.GetReason() == "ExperimentGoalReached":
		return "the goal is reached: " + p.hintOn(key, "best") + " shows where; " + do("resume") + " looks for better"
	}
	return ""
}

// extendInstead adds to the refusal to give the experiment e of a file more trials by an edit of that file the command that
// does, whatever its resumePolicy.
func (p *place) extendInstead(driven bool, e *experiment.Experiment, err error) error {
	limit := e.Spec.MaxTrialCount
	if err == nil || limit == nil || !editsBudget(err) {
		return err
	}
	do := p.hintDriven(driven, e.Key(), "extend", "--max-trials", fmt.Sprint(*limit))
	return fmt.Errorf("%s; %s goes on with %d trials in all", plainText(err), do, *limit)
}

// editsBudget reports whether a file was refused because it changes the budget of an experiment that there is: here, or
// by a daemon, which takes no edits of files.
func editsBudget(err error) bool {
	var faults experiment.Faults
	if errors.As(err, &faults) {
		return slices.ContainsFunc(faults, func(f experiment.Fault) bool { return f.Path == experiment.PathResumePolicy })
	}
	return reasonOf(status.Convert(err)) == "EXPERIMENT_EXISTS" && strings.Contains(err.Error(), ": spec.maxTrialCount was ")
}

// adviceOnFailures points to what went wrong in trials.
func adviceOnFailures(p *place, w *whole) (out []string) {
	groups := groupFailures(w.trials, "")
	for _, g := range groups[:min(len(groups), shownFailures)] {
		show, what := p.hintOn(w.Key(), "logs", g.Trials[0]), "what the first one printed"
		if w.message.GetExternal() || g.Reason == tuner.ReasonTold || g.Reason == tuner.ReasonDiverged { // a client ran it, or may have
			show, what = p.hintOn(w.Key(), "describe", g.Trials[0]), "the first one"
		}
		out = append(out, fmt.Sprintf("%s (%s): %s shows %s", failureTitle(g), g.Reason, show, what))
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
