package tuner

import (
	"fmt"
	"math"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// reasonStopped is the Exit.Reason of a workload that ended because it was told to.
const reasonStopped = "Stopped"

// outcome is the final state of a trial and why.
type outcome struct {
	state   experiment.TrialState
	reason  string
	message string
}

// judge decides what a workload's end means for its trial. missing is how many of its measurements
// could not be collected. It is pure.
func judge(t *experiment.Trial, w trialrunner.Workload, obs experiment.Observation, missing uint64, o *experiment.Objective) outcome {
	switch {
	case w.Exit.Reason == reasonStopped:
		return outcome{experiment.TrialKilled, "TrialKilled", "stopped because the experiment had ended"}
	case w.Phase == trialrunner.Lost:
		return outcome{experiment.TrialFailed, "Lost", fmt.Sprintf(
			"the workload disappeared without a result, %d times; see whether the machine was restarted or the trial-agent was killed", t.Lost+1)}
	case w.Exit.Code != 0 || w.Exit.Signal != "":
		return outcome{experiment.TrialFailed, w.Exit.Reason, w.Exit.Message}
	case missing > 0:
		return outcome{experiment.TrialFailed, "MeasurementsLost", fmt.Sprintf(
			"%d of the %d measurements that were collected cannot be read any more: the trial's folder is damaged; see the daemon's log", missing, w.LastSeq)}
	}
	value, ok := obs.Value(o.ObjectiveMetricName, o)
	switch {
	case !ok:
		return outcome{experiment.TrialMetricsUnavailable, "MetricsUnavailable", unavailable(w, o)}
	case math.IsNaN(value):
		return outcome{experiment.TrialSucceeded, "Diverged", fmt.Sprintf(
			"%s is NaN: the training diverged; the trial counts as done and can never be the best", o.ObjectiveMetricName)}
	}
	return outcome{experiment.TrialSucceeded, "TrialSucceeded", "Trial has succeeded"}
}

func unavailable(w trialrunner.Workload, o *experiment.Objective) string {
	msg := fmt.Sprintf("the command ended without an error, but the objective %q never appeared in its metrics", o.ObjectiveMetricName)
	if w.Exit.Near != "" {
		return msg + "; " + w.Exit.Near
	}
	return msg + "; nothing in its output came close: print it as \"" + o.ObjectiveMetricName + "=0.123\" on a line of its own"
}
