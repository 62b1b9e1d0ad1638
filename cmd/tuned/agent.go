package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// agentName is the program that wraps each trial's command.
const agentName = "trial-agent"

// findAgent returns the path of the trial agent: what $TUNED_AGENT names, else the one beside this
// program, else the one on PATH.
func findAgent(getenv func(string) string) (string, error) {
	if named := getenv("TUNED_AGENT"); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return "", fmt.Errorf("find trial agent: $TUNED_AGENT: %w", err)
		}
		return filepath.Abs(path)
	}
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), agentName)); err == nil {
			return path, nil
		}
	}
	if path, err := exec.LookPath(agentName); err == nil {
		return filepath.Abs(path)
	}
	return "", errors.New("find trial agent: no " + agentName + " beside this program or on PATH; " +
		"build it with \"go build ./cmd/trial-agent\" and put it there, or name it in $TUNED_AGENT")
}
