package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"rsc.io/script"
	"rsc.io/script/scripttest"
)

// asProgram makes the test binary behave as the program, for tests that need a process.
const asProgram = "TUNED_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if agentDir != "" {
			_ = os.RemoveAll(agentDir) // a folder for temporary files is emptied anyway
		}
		os.Exit(code)
	}))
}

var agentDir string // holds the trial agent once a test has built it

// buildAgent builds the trial agent once and returns its path.
var buildAgent = sync.OnceValues(func() (path string, err error) {
	if agentDir, err = os.MkdirTemp("", "tuned-cli"); err != nil {
		return "", err
	}
	path = filepath.Join(agentDir, agentName)
	build := exec.Command("go", "build", "-o", path, "github.com/tuned-hpo/tuned/cmd/trial-agent")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build trial agent: %w\n%s", err, out)
	}
	return path, nil
})

// environ is the environment of the program under test.
func environ(t *testing.T, more ...string) []string {
	t.Helper()
	agent, err := buildAgent()
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{asProgram + "=1", "TUNED_AGENT=" + agent, "HOME=/nowhere", "TERM=xterm"}, more...)
}

// TestScripts runs testdata/script/*.txt, each as a user would type it. "tuned" is this program,
// "exits CODE COMMAND..." demands an exit code, "serving DIR" waits for a daemon. Commands that messages tell to
// type are tried, see hinting.
func TestScripts(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "tuned")); err != nil {
		t.Fatal(err)
	}
	engine := script.NewEngine()
	engine.Cmds = scripttest.DefaultCmds()
	engine.Conds = scripttest.DefaultConds()
	engine.Cmds["tuned"] = hinting{script.Program(filepath.Join(bin, "tuned"), interruptProcess, 5*time.Minute)}
	engine.Cmds["exits"] = hinting{exits(bin)}
	engine.Cmds["serving"] = serving()
	env := environ(t, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	scripttest.Test(t, t.Context(), engine, env, "testdata/script/*.txt")
}

func interruptProcess(c *exec.Cmd) error { return c.Process.Signal(os.Interrupt) }

// serving waits until a daemon answers for a data directory.
func serving() script.Cmd {
	usage := script.CmdUsage{Summary: "wait until a daemon has a data directory", Args: "dir"}
	return script.Command(usage, func(s *script.State, args ...string) (script.WaitFunc, error) {
		if len(args) != 1 {
			return nil, script.ErrUsage
		}
		turns := time.NewTicker(turn / 10)
		defer turns.Stop()
		for d := dataDir(s.Path(args[0])); !d.served(); {
			select {
			case <-turns.C:
			case <-s.Context().Done():
				return nil, s.Context().Err()
			}
		}
		return nil, nil
	})
}

// exits runs a program and demands its exit code; output is kept for stdout and stderr.
func exits(bin string) script.Cmd {
	usage := script.CmdUsage{Summary: "run a program that must end with the given exit code", Args: "code program [args...]", Async: true}
	return script.Command(usage, func(s *script.State, args ...string) (script.WaitFunc, error) {
		if len(args) < 2 {
			return nil, script.ErrUsage
		}
		if args[1] == "tuned" {
			args[1] = filepath.Join(bin, "tuned")
		}
		c := exec.CommandContext(s.Context(), args[1], args[2:]...)
		c.Dir, c.Env = s.Getwd(), s.Environ()
		c.Cancel = func() error { return interruptProcess(c) }
		var stdout, stderr bytes.Buffer
		c.Stdout, c.Stderr = &stdout, &stderr
		if err := c.Start(); err != nil {
			return nil, err
		}
		return func(*script.State) (string, string, error) {
			err := c.Wait()
			if got := fmt.Sprint(c.ProcessState.ExitCode()); got != args[0] {
				err = fmt.Errorf("exit code %s, want %s: %w", got, args[0], err)
			} else {
				err = nil
			}
			return stdout.String(), stderr.String(), err
		}, nil
	})
}
