package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// shownFailures is how many groups of failures are printed.
const shownFailures = 5

// failure is a group of trials that ended without a usable result for what looks like the same cause.
type failure struct {
	State   experiment.TrialState `json:"state"`
	Reason  string                `json:"reason"`
	Message string                `json:"message"` // of the first of Trials
	Trials  []string              `json:"trials"`
	Log     string                `json:"log,omitempty"` // of the first of Trials
}

// groupFailures groups trials that failed or diverged by their fate; in the order in which the groups first occur.
func groupFailures(trials []experiment.Trial, logs logs) []failure {
	groups := []failure{}
	index := map[string]int{}
	for i := range trials {
		t := &trials[i]
		if !failed(t.State) && !diverged(t) {
			continue
		}
		key := t.Fate()
		at, ok := index[key]
		if !ok {
			at = len(groups)
			index[key] = at
			groups = append(groups, failure{State: t.State, Reason: t.Reason, Message: t.Message, Log: logs.file(t)})
		}
		groups[at].Trials = append(groups[at].Trials, t.Name)
	}
	return groups
}

func printFailures(w io.Writer, groups []failure) {
	for i, g := range groups {
		if i == shownFailures {
			fmt.Fprintf(w, "\n%d more kinds of failure, which the list of trials shows\n", len(groups)-i)
			return
		}
		fmt.Fprintf(w, "\n%s: %s\n", failureTitle(g), visible(g.Reason))
		fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(visibleLines(g.Message), "\n", "\n  "))
		if g.Log != "" {
			fmt.Fprintf(w, "  log: %s\n", visible(g.Log))
		}
	}
}

func failureTitle(g failure) string {
	how := "failed"
	switch g.State {
	case experiment.TrialMetricsUnavailable:
		how = "without metrics"
	case experiment.TrialSucceeded:
		how = "without a finite value"
	}
	if len(g.Trials) == 1 {
		return "1 trial " + how
	}
	return fmt.Sprintf("%d trials %s", len(g.Trials), how)
}
