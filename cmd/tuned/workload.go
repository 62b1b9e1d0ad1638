package main

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/local"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// preflight makes sure that the trials of an experiment can run here, before anything is stored:
// it renders the first one, and looks for its slots and its program.
func preflight(e *experiment.Experiment, c *config) *experiment.Fault {
	if e.External() {
		return nil
	}
	fault := func(path, format string, args ...any) *experiment.Fault {
		detail := experiment.NewRedactor(experiment.Secrets(e)).Redact(fmt.Sprintf(format, args...)) // errors repeat words of the command
		return &experiment.Fault{Path: path, Type: experiment.Invalid, Detail: detail}
	}
	spec, err := example(e)
	if err != nil {
		return fault("prepare trials", "%v", err)
	}
	if have := c.slots(); spec.Limits.CPUs > have {
		return fault("spec.tuned.cpus", "a trial wants %d CPU slots, this machine has %d; give more by --cpus", spec.Limits.CPUs, have)
	}
	if have := len(c.GPUs); spec.Limits.GPUs > have {
		return fault("spec.tuned.gpus", "a trial wants %d GPU slots, this machine has %d; name those to use by --gpus, such as --gpus 0,1", spec.Limits.GPUs, have)
	}
	if _, err := local.Resolve(spec); err != nil {
		return fault("prepare trials", "%s", reason(err))
	}
	return nil
}

// prepare completes an experiment that a client creates by the settings of this daemon, and refuses what
// cannot run here.
func (c *config) prepare(e *experiment.Experiment) error {
	if e.External() {
		return nil
	}
	images, err := c.images()
	if err != nil {
		return err
	}
	for image, command := range images {
		if _, given := e.Local.Images[image]; given {
			continue
		}
		if e.Local.Images == nil {
			e.Local.Images = map[string][]string{}
		}
		e.Local.Images[image] = command
	}
	if e.Local.Dir == "" {
		if e.Local.Dir, err = os.Getwd(); err != nil {
			return fmt.Errorf("find working directory: %w", err)
		}
	}
	c.limit(e)
	if f := preflight(e, c); f != nil {
		return experiment.Faults{*f}
	}
	return nil
}

// limit sets the limits of trials that the experiment leaves open.
func (c *config) limit(e *experiment.Experiment) {
	x := experiment.Extension{}
	if e.Spec.Tuned != nil {
		x = *e.Spec.Tuned
	}
	x.TrialTimeout = limit(x.TrialTimeout, c.TrialTimeout, false, 0)
	x.ProgressTimeout = limit(x.ProgressTimeout, c.ProgressTimeout, false, 0)
	x.StopGrace = limit(x.StopGrace, c.StopGrace, false, 0)
	if e.Spec.Tuned != nil || !reflect.ValueOf(x).IsZero() {
		e.Spec.Tuned = &x
	}
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
		fmt.Fprintf(w, "  it cannot run here: %s\n", experiment.NewRedactor(experiment.Secrets(e)).Redact(reason(err)))
		return nil
	}
	fmt.Fprintf(w, "  and runs %s\n", quoteWords(experiment.MaskWords(process.Command.Argv)))
	fmt.Fprintf(w, "  program %s, in folder %s\n", process.Command.Path, process.Command.Dir)
	if at := spec.Checkpoint.Path; at != "" {
		fmt.Fprintf(w, "  where %s stands for its own checkpoint directory, which is in TUNED_CHECKPOINT_DIR too\n", at)
	}
	if folder := spec.Checkpoint.Folder; folder != "" {
		fmt.Fprintf(w, "  checkpoint directories lie in %s\n", folder)
	}
	for _, variable := range process.Command.Env {
		fmt.Fprintf(w, "  with %s\n", quoteWord(experiment.MaskWords([]string{variable})[0]))
	}
	return nil
}
