package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// result is how an experiment stands or ended, for people and for programs.
type result struct {
	Event      string                   `json:"event"` // "result"
	Experiment string                   `json:"experiment"`
	State      experiment.ConditionType `json:"state"`
	Reason     string                   `json:"reason"`
	Message    string                   `json:"message"`
	Objective  string                   `json:"objective"` // metric
	Type       string                   `json:"type"`
	Goal       *number                  `json:"goal"` // null when none is set
	Reached    bool                     `json:"goalReached"`
	chosen
	Trials   map[experiment.TrialState]int `json:"trials"`
	Seconds  number                        `json:"seconds"` // from start to completion
	Failures []failure                     `json:"failures"`
	Logs     string                        `json:"logs"` // folder
	ExitCode int                           `json:"exitCode"`
}

// bestTrial is the best trial with all that it takes to use it.
type bestTrial struct {
	Trial      string            `json:"trial"`
	Number     uint64            `json:"number"`
	Value      number            `json:"value"` // of the objective
	Metrics    map[string]number `json:"metrics"`
	Latest     map[string]number `json:"latest"` // the last values of the metrics
	Parameters map[string]string `json:"parameters"`
	Flags      string            `json:"flags"` // the parameters as --name=value, quoted for a shell
	Log        string            `json:"log,omitempty"`

	order  []string          // metrics, the objective first
	beside map[string]string // what is said of those that are additional, see experiment.Observation
}

// newResult sums up an experiment at now. logs tells where trials keep theirs.
func newResult(e *experiment.Experiment, trials []experiment.Trial, logs logs, now time.Time) result {
	o := e.Spec.Objective
	r := result{
		Event: "result", Experiment: e.Key().String(), State: e.Status.State(), Objective: o.ObjectiveMetricName,
		Type: o.Type, Trials: map[experiment.TrialState]int{}, Seconds: seconds(age(e, now)),
		Failures: groupFailures(trials, logs), Logs: string(logs), chosen: newChosen(e, trials, logs),
	}
	if n := len(e.Status.Conditions); n > 0 {
		r.Reason, r.Message = e.Status.Conditions[n-1].Reason, e.Status.Conditions[n-1].Message
	}
	for i := range trials {
		r.Trials[trials[i].State]++
	}
	if o.Goal != nil {
		goal := number(*o.Goal)
		r.Goal = &goal
		r.Reached = r.Best != nil && experiment.GoalReached(o, float64(r.Best.Value))
	}
	r.ExitCode = r.code()
	return r
}

// age returns how long an experiment has taken from its start to its completion or now.
func age(e *experiment.Experiment, now time.Time) time.Duration {
	if e.Status.StartTime == nil {
		return 0
	}
	if e.Status.CompletionTime != nil {
		now = *e.Status.CompletionTime
	}
	return max(0, now.Sub(*e.Status.StartTime))
}

func newBestTrial(t *experiment.Trial, o *experiment.Objective, logs logs) bestTrial {
	b := bestTrial{
		Trial: t.Name, Number: t.Number, Value: number(objectiveOf(t, o)),
		Metrics: map[string]number{}, Latest: map[string]number{}, beside: map[string]string{}, Parameters: parameterMap(t.Assignment), Flags: flags(t.Assignment),
		Log: logs.file(t), order: metricNames(o),
	}
	for _, metric := range b.order {
		b.Metrics[metric] = number(metricOf(t, metric, o))
		latest, _ := t.Observation.Latest(metric) // else NaN
		b.Latest[metric] = number(latest)
	}
	for _, metric := range o.AdditionalMetricNames {
		b.beside[metric] = t.Observation.Beside(metric, o)
	}
	return b
}

// code is the exit code that the result stands for.
func (r *result) code() int {
	switch {
	case r.State == experiment.Failed || r.Best == nil:
		return exitFailed
	case r.Goal != nil && !r.Reached:
		return exitGoalMissed
	}
	return exitOK
}

// headline says in one line how the experiment ended.
func (r *result) headline() string {
	goal := ""
	if r.Goal != nil {
		goal = fmt.Sprintf(" (goal %s, %s)", exact(float64(*r.Goal)), r.Type)
	}
	switch {
	case r.State == experiment.Failed:
		return "failed: " + strings.TrimPrefix(r.Message, "Experiment has failed because ")
	case r.State != experiment.Succeeded:
		return "not finished: " + strings.ToLower(string(r.State))
	case r.Best == nil && infeasible(r.Kept):
		return "ended without a feasible trial: each one with a result breaks a constraint"
	case r.Best == nil && r.Trials[experiment.TrialSucceeded]+r.Trials[experiment.TrialEarlyStopped] == 0:
		return "ended without a result: no trial succeeded"
	case r.Best == nil:
		return "ended without a result: no trial has a usable value of " + r.Objective
	case r.Reached:
		return "goal reached" + goal
	case r.Goal != nil:
		return "budget used up, goal not reached" + goal
	}
	return "done: " + strings.TrimPrefix(r.Message, "Experiment has succeeded because ")
}

// print writes the result for people.
func (r *result) print(w io.Writer) {
	_, name, _ := strings.Cut(r.Experiment, "/")
	fmt.Fprintf(w, "\n%s: %s\n", name, r.headline())
	r.chosen.print(w)
	fmt.Fprintf(w, "Trials:      %s\n", r.trialText())
	fmt.Fprintf(w, "Duration:    %s\n", clock(time.Duration(float64(r.Seconds)*float64(time.Second))))
	if r.Logs != "" {
		fmt.Fprintf(w, "Logs:        %s\n", r.Logs)
	}
	printFailures(w, r.Failures)
}

func (b *bestTrial) metricText() string {
	words := make([]string, len(b.order))
	for i, metric := range b.order {
		words[i] = visible(metric) + "=" + exact(float64(b.Metrics[metric]))
		if more := b.beside[metric]; more != "" {
			words[i] += " (" + more + ")"
		}
	}
	return strings.Join(words, " ")
}

func (r *result) trialText() string {
	var words []string
	for _, s := range []struct {
		state experiment.TrialState
		text  string
	}{
		{experiment.TrialSucceeded, "succeeded"},
		{experiment.TrialEarlyStopped, "stopped early"},
		{experiment.TrialFailed, "failed"},
		{experiment.TrialMetricsUnavailable, "without metrics"},
		{experiment.TrialKilled, "killed"},
		{experiment.TrialRunning, "running"},
		{experiment.TrialPending, "pending"},
	} {
		if n := r.Trials[s.state]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, s.text))
		}
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
