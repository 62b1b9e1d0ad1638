package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/local"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// preflight makes sure that the trials of an experiment can run here, before anything is stored:
// it renders the first one, and looks for its slots and its program.
func preflight(e *experiment.Experiment, c *config) error {
	if e.External() {
		return nil
	}
	spec, err := example(e)
	if err != nil {
		return usage("prepare trials: %w", err)
	}
	if have := c.slots(); spec.Limits.CPUs > have {
		return usage("spec.tuned.cpus: a trial wants %d CPU slots, this machine has %d; give more by --cpus", spec.Limits.CPUs, have)
	}
	if have := len(c.GPUs); spec.Limits.GPUs > have {
		return usage("spec.tuned.gpus: a trial wants %d GPU slots, this machine has %d; name those to use by --gpus, such as --gpus 0,1", spec.Limits.GPUs, have)
	}
	if _, err := local.Resolve(spec); err != nil {
		return usage("prepare trials: %s", reason(err))
	}
	return nil
}

// reason is an error of the runner without its kind, which says nothing to a user.
func reason(err error) string {
	return strings.TrimSuffix(err.Error(), ": "+trialrunner.ErrUnsupported.Error())
}

// example is the first trial of an experiment as the runner gets it.
func example(e *experiment.Experiment) (trialrunner.Spec, error) {
	pairs, err := firstTrial(&e.Spec)
	if err != nil {
		return trialrunner.Spec{}, err
	}
	return tuner.Example(e, pairs)
}

func explainWorkload(w io.Writer, e *experiment.Experiment) error {
	heading(w, "What runs")
	if e.External() {
		fmt.Fprintln(w, "  nothing: trials are handed out by tuned ask, their results come by tuned tell")
		return nil
	}
	spec, err := example(e)
	if err != nil {
		return usage("explain trials: %w", err)
	}
	fmt.Fprintf(w, "  the first trial has %s\n", flags(spec.Assignment))
	process, err := local.Resolve(spec)
	if err != nil {
		fmt.Fprintf(w, "  it cannot run here: %s\n", reason(err))
		return nil
	}
	fmt.Fprintf(w, "  and runs %s\n", quoteWords(process.Command.Argv))
	fmt.Fprintf(w, "  program %s, in folder %s\n", process.Command.Path, process.Command.Dir)
	for _, variable := range process.Command.Env {
		fmt.Fprintf(w, "  with %s\n", quoteWord(variable))
	}
	return nil
}
