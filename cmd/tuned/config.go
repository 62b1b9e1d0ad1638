package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"sigs.k8s.io/yaml"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// config is what a run takes from --config and flags; flags win.
type config struct {
	DataDir         string                 `json:"dataDir"`         // all state; created with mode 0700
	TemplateDir     string                 `json:"templateDir"`     // stands in for ConfigMaps; "" for none
	Images          map[string]commandLine `json:"images"`          // image to the command that stands in for its program
	CPUs            int                    `json:"cpus"`            // CPU slots for all trials together; 0 means one per CPU
	GPUs            []string               `json:"gpus"`            // GPU ids for all trials together
	LogLevel        string                 `json:"logLevel"`        // of the daemon's log
	StopGrace       experiment.Duration    `json:"stopGrace"`       // between TERM and KILL, where the experiment sets none; 0 for 10s
	TrialTimeout    experiment.Duration    `json:"trialTimeout"`    // of a trial, where the experiment sets none; 0 for no limit
	ProgressTimeout experiment.Duration    `json:"progressTimeout"` // of silence, where the experiment sets none; 0 for no limit
}

// commandLine is a command as one text, see splitWords. In YAML it may be a list of words too.
type commandLine string

// UnmarshalJSON reads a text or a list of words.
func (c *commandLine) UnmarshalJSON(b []byte) error {
	var words []string
	if json.Unmarshal(b, &words) == nil {
		*c = commandLine(quoteWords(words))
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("a command is a text or a list of words, got %s", b)
	}
	*c = commandLine(text)
	return nil
}

// defaultConfig returns the settings of a run without --config and flags.
func defaultConfig(getenv func(string) string) config {
	return config{DataDir: defaultDataDir(getenv), LogLevel: "info"}
}

// defaultDataDir is a folder for state that survives reboots, by the XDG base directory rules.
func defaultDataDir(getenv func(string) string) string {
	if state := getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "tuned-hpo")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "state", "tuned-hpo")
	}
	return ""
}

// validate reports every fault at once.
func (c *config) validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(c.DataDir == "", "dataDir: it is empty; give --data-dir, or set HOME or XDG_STATE_HOME")
	fault(c.CPUs < 0, "cpus: want at least 0, got %d", c.CPUs)
	fault(c.StopGrace < 0, "stopGrace: want at least 0s, got %v", time.Duration(c.StopGrace))
	fault(c.TrialTimeout < 0, "trialTimeout: want at least 0s, got %v", time.Duration(c.TrialTimeout))
	fault(c.ProgressTimeout < 0, "progressTimeout: want at least 0s, got %v", time.Duration(c.ProgressTimeout))
	level, err := zerolog.ParseLevel(c.LogLevel)
	fault(err != nil || level == zerolog.NoLevel, "logLevel: want debug, info, warn or error, got %q", c.LogLevel)
	seen := map[string]bool{}
	for _, id := range c.GPUs {
		fault(id == "" || strings.ContainsAny(id, ", "), "gpus: %q is no GPU id", id)
		fault(seen[id], "gpus: %q is listed twice", id)
		seen[id] = true
	}
	if _, err := c.images(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// images returns the commands of images, taken apart into words.
func (c *config) images() (map[string][]string, error) {
	out := map[string][]string{}
	var faults []error
	for image, command := range c.Images {
		words, err := splitWords(string(command))
		switch {
		case image == "":
			err = errors.New("want IMAGE=COMMAND, the image is empty")
		case err == nil && len(words) == 0:
			err = errors.New("the command is empty")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("images: %q: %q: %w", image, command, err))
		}
		out[image] = words
	}
	return out, errors.Join(faults...)
}

// readConfig lays a YAML file over c. Keys that are not known are an error.
func (c *config) readConfig(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return usage("read config: %w", err)
	}
	if err := yaml.UnmarshalStrict(text, c); err != nil {
		text := strings.TrimPrefix(err.Error(), "error unmarshaling JSON: while decoding JSON: ")
		return usage("read config %s: %s; tuned run --help and docs/cli.md name its fields", file, strings.TrimPrefix(text, "json: "))
	}
	return nil
}

// readInput returns the text of a file, "-" being standard input.
func readInput(file string, stdin io.Reader) ([]byte, error) {
	if file != "-" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, usage("read experiment: %w", err)
		}
		return text, nil
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(stdin); err != nil {
		return nil, usage("read experiment from standard input: %w", err)
	}
	return text.Bytes(), nil
}

// slots returns the number of CPU slots.
func (c *config) slots() int {
	if c.CPUs == 0 {
		return runtime.NumCPU()
	}
	return c.CPUs
}
