package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// TestInterruptedBeforeItBegins has the signal come while the data directory is opened.
func TestInterruptedBeforeItBegins(t *testing.T) {
	dir := writeExperiment(t)
	for _, tt := range []struct {
		args []string
		want int
	}{
		{[]string{"run", filepath.Join(dir, "work.yaml"), "--", "true", "${trialParameters.x}", "${trialParameters.opt}"}, exitInterrupted},
		{[]string{"serve", "--listen", "none"}, exitOK},
	} {
		t.Run(tt.args[0], func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errInterrupted)
			var said strings.Builder
			a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &said, getenv: noEnv}
			root := a.root()
			root.SetArgs(append([]string{tt.args[0], "--data-dir", filepath.Join(dir, "d")}, tt.args[1:]...))
			if code := a.code(root.ExecuteContext(ctx)); code != tt.want || said.Len() > 0 {
				t.Errorf("exit code %d, want %d; it says %q, want nothing", code, tt.want, said.String())
			}
		})
	}
}
