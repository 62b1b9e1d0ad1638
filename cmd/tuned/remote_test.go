package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

// A data directory on a network file system is refused unless a flag or the config file takes it.
func TestRemoteDataDirectory(t *testing.T) {
	mount := testenv.FUSE(t)
	dir := writeExperiment(t)
	for _, command := range [][]string{{"serve", "--listen", "none"}, {"run", "work.yaml"}} {
		for name, refused := range map[string]bool{"": true, "--allow-remote": false} {
			with := slices.Concat(command, []string{"--data-dir", mount})
			if name != "" {
				with = append(with, name)
			}
			_, said := call(t, dir, exitError, with...) // nothing can be made there in any case
			if got := strings.Contains(said, "is on FUSE") && strings.Contains(said, "--allow-remote"); got != refused {
				t.Errorf("tuned %s: got %q, want it refused: %t", strings.Join(with, " "), said, refused)
			}
		}
	}
}
