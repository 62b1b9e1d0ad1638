package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// WithPrograms builds packages of this module for the tests of a package, runs the tests, and returns
// their exit code. bin is set to the folder of the programs, which is gone afterwards. The arguments are
// those of go build: packages by their import paths, and flags before them.
func WithPrograms(m *testing.M, bin *string, args ...string) int {
	dir, err := os.MkdirTemp("", "tuned-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	*bin = dir
	if out, err := exec.CommandContext(context.Background(), "go", append([]string{"build", "-o", dir}, args...)...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
