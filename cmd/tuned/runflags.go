package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// machineFlags are the flags that say how this machine runs experiments, of tuned serve and tuned run.
type machineFlags struct {
	configFile string
	dataDir    string
	templates  string
	images     []string
	cpus       int
	gpus       []string
	logLevel   string
	remote     bool
}

// registerTemplates adds the flags that say what stands in for what only a cluster has.
func (f *machineFlags) registerTemplates(c *cobra.Command) {
	s := c.Flags()
	s.StringVar(&f.configFile, "config", "", "YAML `FILE` with settings; flags win over it")
	s.StringVar(&f.templates, "template-dir", "", "folder that stands in for ConfigMaps: `DIR`/NAMESPACE/NAME.yaml")
	s.StringArrayVar(&f.images, "image", nil, "local command that stands in for an image's program, `IMAGE=COMMAND`; repeatable")
}

// registerSlots adds the flags that say where state lies and what trials may use.
func (f *machineFlags) registerSlots(c *cobra.Command, getenv func(string) string) {
	s := c.Flags()
	s.StringVar(&f.dataDir, "data-dir", defaultDataDir(getenv), "folder `DIR` that holds all state")
	wholeVar(s, &f.cpus, "cpus", 0, 0, mostSlots, "CPU slots for all trials together; 0 means one per CPU")
	s.StringSliceVar(&f.gpus, "gpus", nil, "GPU `IDS` for all trials together, such as 0,1")
	s.BoolVar(&f.remote, "allow-remote", false, "use a data directory on a network file system, where nothing is sure to be kept")
	s.StringVar(&f.logLevel, "log-level", "info", "`LEVEL` of the log in the data directory: debug, info, warn, error")
	_ = c.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions(logLevels, noFiles)) // fails for unknown flags only
}

// warnUnused names those of the flags given that say nothing to the daemon which has the data directory.
func (f *machineFlags) warnUnused(given *pflag.FlagSet, dir string, warn io.Writer) {
	var unused []string
	for _, flag := range []string{"cpus", "gpus", "allow-remote", "log-level"} {
		if given.Changed(flag) {
			unused = append(unused, "--"+flag)
		}
	}
	if len(unused) > 0 {
		fmt.Fprintf(warn, "warning: %s: without effect: the tuned serve that has %s runs the trials by its own settings\n", strings.Join(unused, ", "), dir)
	}
}

// register adds them all.
func (f *machineFlags) register(c *cobra.Command, getenv func(string) string) {
	f.registerTemplates(c)
	f.registerSlots(c, getenv)
}

// settings returns the settings: defaults, then the config file, then flags. They are not checked yet.
func (f *machineFlags) settings(given *pflag.FlagSet, getenv func(string) string) (config, error) {
	c := defaultConfig(getenv)
	if f.configFile != "" {
		if err := c.readConfig(f.configFile); err != nil {
			return c, err
		}
	}
	c.lay(given, map[string]override{
		"data-dir":     {"dataDir", func() { c.DataDir = f.dataDir }},
		"template-dir": {"templateDir", func() { c.TemplateDir = f.templates }},
		"cpus":         {"cpus", func() { c.CPUs = f.cpus }},
		"gpus":         {"gpus", func() { c.GPUs = f.gpus }},
		"allow-remote": {"allowRemote", func() { c.AllowRemote = f.remote }},
		"log-level":    {"logLevel", func() { c.LogLevel = f.logLevel }},
	})
	for _, text := range f.images {
		image, command, ok := strings.Cut(text, "=")
		if !ok {
			return c, usage("--image: want IMAGE=COMMAND, there is no = in it")
		}
		if c.Images == nil {
			c.Images = map[string]commandLine{}
		}
		c.Images[image] = commandLine(command)
	}
	return c, nil
}

// override is what a flag does to the settings: it sets a key.
type override struct {
	key string
	set func()
}

// lay lays flags over the settings.
func (c *config) lay(given *pflag.FlagSet, flags map[string]override) {
	for flag, o := range flags {
		if given.Changed(flag) {
			delete(c.places, o.key)
			o.set()
		}
	}
}

// finish checks the settings and makes them independent of the working directory.
func (c *config) finish() error {
	if err := c.validate(); err != nil {
		return usage("check settings: %w", err)
	}
	c.DataDir = absolute(c.DataDir)
	return nil
}

// runFlags are the flags of the run command as given.
type runFlags struct {
	machineFlags

	name            string
	namespace       string
	seed            uint64
	parallel        int32
	maxTrials       int32
	maxFailed       int32
	trialTimeout    time.Duration
	progressTimeout time.Duration

	progress string
	strict   bool
}

// registerExperiment adds the flags that say what is run.
func (f *runFlags) registerExperiment(c *cobra.Command) {
	f.registerTemplates(c)
	s := c.Flags()
	s.StringVar(&f.name, "name", "", "`NAME` of the experiment in place of metadata.name")
	s.StringVarP(&f.namespace, "namespace", "n", "", "`NAMESPACE` of the experiment in place of metadata.namespace")
	wholeVar(s, &f.seed, "seed", 0, 0, math.MaxUint64, "seed of all randomness, in place of spec.tuned.seed")
	countVar(s, &f.parallel, "parallel", 0, 1, "trials at the same time, in place of spec.parallelTrialCount")
	countVar(s, &f.maxTrials, "max-trials", 0, 1, "number of trials, in place of spec.maxTrialCount")
	countVar(s, &f.maxFailed, "max-failed", 0, 0, "failed trials that fail the experiment, in place of spec.maxFailedTrialCount")
	s.DurationVar(&f.trialTimeout, "trial-timeout", 0, "longest time of one trial, in place of spec.tuned.trialTimeout")
	s.DurationVar(&f.progressTimeout, "progress-timeout", 0, "longest silence of a trial's metrics, in place of spec.tuned.progressTimeout")
	s.BoolVar(&f.strict, "strict", false, "take unknown fields and aliases for faults")
}

// registerProgress adds the flag that says how progress is shown.
func (f *runFlags) registerProgress(c *cobra.Command) {
	c.Flags().StringVar(&f.progress, "progress", "auto", "`VIEW` of the progress: "+strings.Join(viewModes, ", "))
	_ = c.RegisterFlagCompletionFunc("progress", cobra.FixedCompletions(viewModes, noFiles)) // fails for unknown flags only
}

// checkProgress refuses views that there are not.
func (f *runFlags) checkProgress() error {
	if !slices.Contains(viewModes, f.progress) {
		return usage("--progress %s: no such view; want one of %s", f.progress, strings.Join(viewModes, ", "))
	}
	return nil
}

// configure returns the settings: defaults, then the config file, then flags.
func (f *runFlags) configure(given *pflag.FlagSet, getenv func(string) string) (config, error) {
	c, err := f.settings(given, getenv)
	if err != nil {
		return c, err
	}
	return c, c.finish()
}

// absolute makes a path independent of the working directory, as far as that can be known.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// override puts what flags say in place of what the experiment says.
func (f *runFlags) override(given *pflag.FlagSet, e *experiment.Experiment, c *config) {
	if given.Changed("name") {
		e.Metadata.Name = f.name
	}
	if given.Changed("namespace") {
		e.Metadata.Namespace = f.namespace
	}
	if given.Changed("parallel") {
		e.Spec.ParallelTrialCount = &f.parallel
	}
	if given.Changed("max-trials") {
		e.Spec.MaxTrialCount = &f.maxTrials
	}
	if given.Changed("max-failed") {
		e.Spec.MaxFailedTrialCount = &f.maxFailed
	}
	x := experiment.Extension{}
	if e.Spec.Tuned != nil {
		x = *e.Spec.Tuned
	}
	if given.Changed("seed") {
		x.Seed = &f.seed
	}
	x.TrialTimeout = limit(x.TrialTimeout, c.TrialTimeout, given.Changed("trial-timeout"), f.trialTimeout)
	x.ProgressTimeout = limit(x.ProgressTimeout, c.ProgressTimeout, given.Changed("progress-timeout"), f.progressTimeout)
	x.StopGrace = limit(x.StopGrace, c.StopGrace, false, 0)
	if e.Spec.Tuned != nil || !reflect.ValueOf(x).IsZero() {
		e.Spec.Tuned = &x
	}
}

// limit chooses between a limit of the experiment, the one of the config, and the flag.
func limit(own *experiment.Duration, config experiment.Duration, given bool, flag time.Duration) *experiment.Duration {
	switch {
	case given:
		return new(experiment.Duration(flag))
	case own == nil && config != 0:
		return &config
	}
	return own
}

// checkOverrides refuses values of flags that no experiment takes, in the flags' own words.
func (f *runFlags) checkOverrides(given *pflag.FlagSet) error {
	switch {
	case f.trialTimeout < 0:
		return usage("--trial-timeout: want at least 0s, got %v", f.trialTimeout)
	case f.progressTimeout < 0:
		return usage("--progress-timeout: want at least 0s, got %v", f.progressTimeout)
	case given.Changed("name") && f.name == "":
		return usage("--name: want a name")
	}
	return nil
}

// lower brings counts of the file down to --max-trials, which they must not exceed, and says so.
func (f *runFlags) lower(given *pflag.FlagSet, e *experiment.Experiment, warn io.Writer) {
	if !given.Changed("max-trials") {
		return
	}
	for _, c := range []struct {
		flag, path string
		count      **int32
	}{
		{"parallel", "spec.parallelTrialCount", &e.Spec.ParallelTrialCount},
		{"max-failed", "spec.maxFailedTrialCount", &e.Spec.MaxFailedTrialCount},
	} {
		if n := *c.count; n != nil && *n > f.maxTrials && !given.Changed(c.flag) {
			fmt.Fprintf(warn, "warning: %s: lowered from %d to %d, the --max-trials\n", c.path, *n, f.maxTrials)
			*c.count = &f.maxTrials
		}
	}
}
