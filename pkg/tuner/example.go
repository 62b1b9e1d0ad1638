package tuner

import (
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// Example returns what the runner would get to start a first trial with the given parameters, so
// that a run can be checked and explained before it begins.
func Example(e *experiment.Experiment, a []experiment.Pair) (trialrunner.Spec, error) {
	name := experiment.TrialName(e.Metadata.Name, e.Metadata.UID, 1)
	return runSpec(e, &experiment.Trial{Number: 1, Name: name, Attempt: 1, Assignment: a})
}
