package main

import (
	"fmt"
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

// prepare reads the experiment of a run and makes sure that its trials can run here.
func (a *app) prepare(given *pflag.FlagSet, f *runFlags, c *config, file string, command []string) (*experiment.Experiment, error) {
	r, err := a.read(given, f, c, file, command)
	if err != nil {
		return nil, err
	}
	if f := preflight(r.Experiment, c); f != nil {
		return nil, usage("%s: %s", f.Path, f.Detail)
	}
	return r.Experiment, nil
}

// read reads an experiment, lays the flags over it and says how its trials run here. Warnings go to
// standard error.
func (a *app) read(given *pflag.FlagSet, f *runFlags, c *config, file string, command []string) (r experiment.Result, err error) {
	if err := f.checkOverrides(given); err != nil {
		return r, err
	}
	text, err := readInput(file, a.stdin)
	if err != nil {
		return r, err
	}
	o := options(f.strict, len(command) > 0, c.TemplateDir)
	o.Advise = func(s *experiment.Spec) experiment.Faults {
		e := experiment.Experiment{Spec: *s} // a copy, in which flags take the place of what they replace
		f.override(given, &e, c)
		return append(advise(&e.Spec), experiment.CommandWarnings(&e.Spec, command)...)
	}
	r = experiment.Read(named(file), text, o)
	for _, w := range r.Warnings {
		fmt.Fprintf(a.stderr, "warning: %v\n", w)
	}
	if faults := f.remaining(given, r.Faults); len(faults) > 0 {
		return r, badExperiment(file, faults)
	}
	e := r.Experiment
	f.override(given, e, c)
	f.lower(given, e, a.stderr)
	if e.Local.Dir, err = os.Getwd(); err != nil {
		return r, fmt.Errorf("find working directory: %w", err)
	}
	e.Local.Command = command
	if e.Local.Images, err = c.images(); err != nil {
		return r, usage("check settings: %w", err)
	}
	if faults := experiment.Validate(e, o); len(faults) > 0 {
		return r, badExperiment(file, faults)
	}
	return r, nil
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
