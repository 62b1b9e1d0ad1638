package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// environment returns what the command finds in its environment: what the spec gives it, and how
// it can learn its parameters without reading its arguments.
func environment(spec *trialdir.Spec, dir string) []string {
	env := append([]string(nil), spec.Command.Env...)
	set := func(name, value string) {
		env = append(without(env, name), name+"="+value)
	}
	for _, p := range spec.Parameters {
		set("TUNED_PARAM_"+envName(p.Name), p.Value)
		set("KUBEFLOW_TRAINER_OPT_"+envName(p.Name), p.Value)
	}
	set("KATIB_TRIAL_NAME", spec.Trial)
	set("TUNED_TRIAL_NAME", spec.Trial)
	set("TUNED_TRIAL", spec.Trial)
	set("TUNED_EXPERIMENT", spec.Namespace+"/"+spec.Experiment)
	set("TUNED_PARAMS_FILE", filepath.Join(dir, trialdir.ParamsFile))
	if text, err := json.Marshal(parameterValues(spec.Parameters)); err == nil && len(text) < longestVariable {
		set("TUNED_PARAMS", string(text))
	}
	set("TUNED_REPORT_FILE", filepath.Join(dir, trialdir.ReportFile))
	if c := spec.Checkpoint; c.Dir != "" {
		set("TUNED_CHECKPOINT_DIR", c.Dir)
	}
	set("TUNED_SERVER", serverURL(spec.Address))
	set("TUNED_TOKEN", spec.Token)
	set(trialdir.MarkName, spec.Mark())
	if len(spec.GPUs) > 0 {
		set("CUDA_VISIBLE_DEVICES", strings.Join(spec.GPUs, ","))
	}
	if len(without(env, "PYTHONUNBUFFERED")) == len(env) {
		set("PYTHONUNBUFFERED", "1") // or Python keeps what it prints to a pipe for itself
	}
	return env
}

// longestVariable keeps a variable below what the kernel takes, in bytes.
const longestVariable = 100 << 10

// serverURL is the address of the daemon as its clients write it: unix:PATH, or a URL.
func serverURL(address string) string {
	if strings.HasPrefix(address, "unix:") || strings.Contains(address, "://") {
		return address
	}
	return "http://" + address
}

func without(env []string, name string) []string {
	kept := env[:0:0]
	for _, entry := range env {
		if !strings.HasPrefix(entry, name+"=") {
			kept = append(kept, entry)
		}
	}
	return kept
}

// envName makes upper-case letters, digits and underscores of a parameter's name.
func envName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		}
		return '_'
	}, name)
}

// parameterValues are the parameters as one JSON object: numbers where the text is a JSON number.
func parameterValues(parameters []trialdir.Parameter) map[string]any {
	values := make(map[string]any, len(parameters))
	for _, p := range parameters {
		values[p.Name] = p.Value
		if number := json.Number(p.Value); json.Valid([]byte(number)) && isNumber(p.Value) {
			values[p.Name] = number
		}
	}
	return values
}

// writeParams writes the parameters to their file.
func writeParams(root *os.Root, parameters []trialdir.Parameter) error {
	if err := trialdir.Write(root, trialdir.ParamsFile, parameterValues(parameters), false); err != nil {
		return fmt.Errorf("write parameters: %w", err)
	}
	return nil
}

func isNumber(text string) bool {
	return text != "" && (text[0] == '-' || '0' <= text[0] && text[0] <= '9') && text == strings.TrimSpace(text)
}
