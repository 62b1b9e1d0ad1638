package main

import (
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openPTY opens a terminal of 100 columns and 30 rows: what is written to the slave end can be read
// from the master end.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100}); err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// onTerminal runs a program on a terminal until it ends and returns what the terminal received.
func onTerminal(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	return onTerminalWith(t, c, &strings.Builder{})
}

// onTerminalWith is onTerminal with standard error elsewhere.
func onTerminalWith(t *testing.T, c *exec.Cmd, stderr *strings.Builder) string {
	t.Helper()
	master, slave := openPTY(t)
	c.Stdin, c.Stdout = slave, slave
	c.Stderr = stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	seen := readTerminal(master)
	if err := c.Wait(); err != nil {
		t.Fatalf("%v\n%s%s", err, seen, stderr.String())
	}
	return seen
}

// readTerminal reads what a terminal receives until no process has it any more.
func readTerminal(master *os.File) string {
	seen, _ := io.ReadAll(master) // that is an error
	return string(seen)
}

func TestTerminalView(t *testing.T) {
	tests := []struct {
		name, env string
		args      []string
		drawn     bool
	}{
		{"auto", "TERM=xterm-256color", nil, true},
		{"no color", "NO_COLOR=1", nil, false},
		{"dumb terminal", "TERM=dumb", nil, false},
		{"plain", "TERM=xterm-256color", []string{"--progress", "plain"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := writeExperiment(t)
			args := append([]string{"run", "--data-dir", "d", "work.yaml"}, tt.args...)
			c := program(t, dir, append(args, "--", "echo", "loss=${trialParameters.x}", "${trialParameters.opt}")...)
			c.Env = append(c.Env, tt.env)
			got := onTerminal(t, c)
			if drawn := strings.Contains(got, "\x1b["); drawn != tt.drawn {
				t.Errorf("escape codes: %v, want %v\n%q", drawn, tt.drawn, got)
			}
			for _, want := range []string{"3/3 done", "best", "Parameters:"} {
				if !strings.Contains(got, want) {
					t.Errorf("terminal does not show %q\n%q", want, got)
				}
			}
		})
	}
}
