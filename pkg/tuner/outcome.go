package tuner

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// reasonStopped is the Exit.Reason of a workload that ended because it was told to.
const reasonStopped = "Stopped"

// ReasonDiverged is the reason of a trial that ended well, but with a needed metric that is not finite.
const ReasonDiverged = "Diverged"

// ReasonTold is the reason of a trial that failed where a client evaluated it.
const ReasonTold = "ToldFailed"

// outcome is the final state of a trial and why.
type outcome struct {
	state   experiment.TrialState
	reason  string
	message string
}

// judge decides what a workload's end means for its trial. missing is how many of its measurements
// could not be collected. It is pure.
func judge(t *experiment.Trial, w trialrunner.Workload, obs experiment.Observation, missing uint64, s *experiment.Spec) outcome {
	switch {
	case t.Pruned != "" && (w.Exit.Reason == reasonStopped || w.Phase == trialrunner.Lost):
		return outcome{experiment.TrialEarlyStopped, "TrialEarlyStopped", "stopped early by " + t.Pruned}
	case t.Stopping && w.Exit.Reason == reasonStopped && len(missingMetrics(obs, s)) == 0:
		return outcome{experiment.TrialEarlyStopped, "TrialEarlyStopped", "stopped on request, with the values it had"}
	case t.Stopping && (w.Exit.Reason == reasonStopped || w.Phase == trialrunner.Lost):
		return outcome{experiment.TrialKilled, "TrialKilled", "stopped on request"}
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
	if lacking := missingMetrics(obs, s); len(lacking) > 0 {
		return outcome{experiment.TrialMetricsUnavailable, "MetricsUnavailable", unavailable(w, lacking, s)}
	}
	for _, metric := range s.Needed() {
		if v, _ := obs.Value(metric, s.Objective); math.IsNaN(v) || math.IsInf(v, 0) {
			return outcome{experiment.TrialSucceeded, ReasonDiverged, fmt.Sprintf(
				"%s is %v, which is not finite: the training diverged; the trial counts as done and can never be the best", metric, v)}
		}
	}
	return outcome{experiment.TrialSucceeded, "TrialSucceeded", "Trial has succeeded"}
}

// missingMetrics returns the metrics of objectives and constraints that an observation has no number of.
func missingMetrics(obs experiment.Observation, s *experiment.Spec) (names []string) {
	for _, metric := range s.Needed() {
		if _, ok := obs.Value(metric, s.Objective); !ok {
			names = append(names, metric)
		}
	}
	return names
}

// unavailable says which metrics never appeared, and what to do. The agent looks for lines that come
// close to the objective alone.
func unavailable(w trialrunner.Workload, lacking []string, s *experiment.Spec) string {
	what := "the objective " + quoted(lacking[:1])
	near := w.Exit.Near
	if lacking[0] != s.Objective.ObjectiveMetricName {
		what, near = quoted(lacking)+", which spec.tuned needs,", ""
	}
	msg := "the command ended without an error, but " + what + " never appeared in its metrics"
	c := s.MetricsCollectorSpec
	switch {
	case c != nil && c.Collector != nil && c.Collector.Kind == experiment.Push:
		return fmt.Sprintf("the command ended without an error, but %s was not reported; call tuned.report({%q: 0.123}), or choose another "+
			"collector than Push, which does not read what is printed", what, lacking[0])
	case near != "":
		return msg + "; " + near
	case len(lacking) > 1 && lacking[0] != s.Objective.ObjectiveMetricName:
		return msg + "; print each as \"" + lacking[0] + "=0.123\" on a line of its own"
	}
	return msg + "; nothing in its output came close: print it as \"" + lacking[0] + "=0.123\" on a line of its own"
}

// longestMessage bounds what is kept of a message, in bytes.
const longestMessage = 4 << 10

// short cuts the middle out of a long message, and says so there: its begin says what happened, its end why.
func short(message string) string {
	if len(message) <= longestMessage {
		return message
	}
	const half = longestMessage/2 - 32 // room for what is said
	return strings.ToValidUTF8(fmt.Sprintf("%s ... (%d bytes left out) ... %s",
		message[:half], len(message)-2*half, message[len(message)-half:]), "")
}

// quoted lists names.
func quoted(names []string) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = strconv.Quote(name)
	}
	return strings.Join(words, " and ")
}
