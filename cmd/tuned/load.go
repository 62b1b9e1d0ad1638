package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// options are those of reading an experiment here.
func options(strict, command bool, templates string) experiment.Options {
	return experiment.Options{
		Strict: strict, CommandGiven: command, CheckAlgorithm: checkAlgorithm, Advise: advise,
		ConfigMaps: configMaps(templates).template,
	}
}

// source is where an experiment comes from.
type source struct {
	file    string         // "-" is standard input
	command []string       // of its trials, in place of the template; nil for none
	flags   *runFlags      // that win over the file
	given   *pflag.FlagSet // those of them that were given
}

// prepare reads the experiment of a run and makes sure that its trials can run here.
func (a *app) prepare(from *source, cfg *config) (*experiment.Experiment, error) {
	r, err := a.read(from, cfg)
	if err != nil {
		return nil, err
	}
	if f := preflight(r.Experiment, cfg); f != nil {
		return nil, usage("%s: %s", f.Path, f.Detail)
	}
	return r.Experiment, nil
}

// read reads an experiment, lays the flags over it and says how its trials run here. Warnings go to
// standard error.
func (a *app) read(from *source, cfg *config) (r experiment.Result, err error) {
	flags, given := from.flags, from.given
	if err := flags.checkOverrides(given); err != nil {
		return r, err
	}
	text, err := readInput(from.file, a.stdin)
	if err != nil {
		return r, err
	}
	o := options(flags.strict, len(from.command) > 0, cfg.TemplateDir)
	o.Advise = func(s *experiment.Spec) experiment.Faults {
		e := experiment.Experiment{Spec: *s} // a copy, in which flags take the place of what they replace
		flags.override(given, &e, cfg)
		return append(advise(&e.Spec), experiment.CommandWarnings(&e.Spec, from.command)...)
	}
	r = experiment.Read(named(from.file), text, o)
	for _, w := range r.Warnings {
		fmt.Fprintf(a.stderr, "warning: %v\n", w)
	}
	if faults := flags.remaining(given, r.Faults); len(faults) > 0 {
		return r, badExperiment(from.file, faults)
	}
	e := r.Experiment
	flags.override(given, e, cfg)
	flags.lower(given, e, a.stderr)
	if err := from.localise(e, cfg); err != nil {
		return r, err
	}
	if faults := experiment.Validate(e, o); len(faults) > 0 {
		return r, badExperiment(from.file, faults)
	}
	return r, nil
}

// localise says how the trials of an experiment run here. What is given beside the file wins over what the file says; a
// command is run where it was given.
func (from *source) localise(e *experiment.Experiment, cfg *config) (err error) {
	if len(from.command) > 0 {
		e.Local.Command, e.Local.Dir = from.command, ""
	}
	if e.Local.Dir == "" {
		if e.Local.Dir, err = os.Getwd(); err != nil {
			return fmt.Errorf("find working directory: %w", err)
		}
	}
	images, err := cfg.images()
	if err != nil {
		return usage("check settings: %w", err)
	}
	if e.Local.Images == nil {
		e.Local.Images = images
		return nil
	}
	maps.Copy(e.Local.Images, images)
	return nil
}

// readInput returns the text of a file, "-" being standard input.
func readInput(file string, stdin io.Reader) ([]byte, error) {
	text, err := inputText(file, stdin)
	if err != nil {
		return nil, usage("read experiment: %w", err)
	}
	return text, nil
}

func inputText(file string, stdin io.Reader) ([]byte, error) {
	if file != "-" {
		return os.ReadFile(file)
	}
	text, err := io.ReadAll(stdin)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return text, nil
}

// named is what faults call a file.
func named(file string) string {
	if file == "-" {
		return "<stdin>"
	}
	return file
}

// remaining drops the faults of fields that flags replace; they are validated again after that.
func (f *runFlags) remaining(given *pflag.FlagSet, faults experiment.Faults) experiment.Faults {
	flagOf := map[string]string{
		"metadata.name": "name", "metadata.namespace": "namespace",
		"spec.parallelTrialCount": "parallel", "spec.maxTrialCount": "max-trials",
		"spec.maxFailedTrialCount": "max-failed",
	}
	return slices.DeleteFunc(slices.Clone(faults), func(x experiment.Fault) bool {
		flag, ok := flagOf[x.Path]
		return ok && given.Changed(flag)
	})
}

// badExperiment says all that is wrong with a file.
func badExperiment(file string, faults experiment.Faults) error {
	what := "1 fault"
	if len(faults) != 1 {
		what = fmt.Sprintf("%d faults", len(faults))
	}
	return usage("read experiment %s: %s:\n%w", named(file), what, faults)
}
