// Package guard_test looks from outside at what the daemon guards: what it was given to keep, and itself.
package guard_test

import (
	"os"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

// bin is the folder of the programs.
var bin string

func TestMain(m *testing.M) {
	os.Exit(testenv.WithPrograms(m, &bin, "github.com/tuned-hpo/tuned/cmd/tuned", "github.com/tuned-hpo/tuned/cmd/trial-agent"))
}
