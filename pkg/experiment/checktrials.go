package experiment

import (
	"fmt"
)

// CheckTrials says what is wrong with trials that come from elsewhere: they are numbered from 1 without gaps,
// their parameters lie in the search space, and one that succeeded has a value of each metric that is needed.
// Paths count trials from 0, as in trials[2].assignment.
func CheckTrials(s *Spec, trials []Trial) (faults Faults) {
	space, err := s.Space()
	if err != nil {
		return Faults{{Path: "spec.parameters", Type: Invalid, Detail: err.Error()}}
	}
	add := func(i int, field, format string, args ...any) {
		faults = append(faults, Fault{Path: fmt.Sprintf("trials[%d].%s", i, field), Type: Invalid, Detail: fmt.Sprintf(format, args...)})
	}
	needed := s.Needed()
	for i := range trials {
		t := &trials[i]
		if t.Number != uint64(i)+1 {
			add(i, "number", "want %d: numbers count from 1 without gaps, got %d", i+1, t.Number)
		}
		if _, err := space.Parse(t.Assignment); err != nil {
			add(i, "assignment", "%v", err)
		}
		if t.Parent > 0 && t.Parent >= t.Number {
			add(i, "parent", "a trial goes on from an earlier one, not from trial %d", t.Parent)
		}
		if !t.State.known() {
			add(i, "state", "no such state: %q", t.State)
		}
		for _, metric := range needed {
			if _, ok := t.Observation.Value(metric, s.Objective); !ok && t.State == TrialSucceeded {
				add(i, "observation", "a trial that succeeded needs a value of %s", metric)
			}
		}
	}
	return faults
}

// known reports whether there is such a state.
func (s TrialState) known() bool {
	switch s {
	case TrialPending, TrialRunning, TrialSucceeded, TrialKilled, TrialFailed, TrialMetricsUnavailable, TrialEarlyStopped:
		return true
	}
	return false
}
