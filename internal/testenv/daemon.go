package testenv

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Daemon is one life of the real program as a daemon.
type Daemon struct {
	Data  string // its data directory
	URL   string
	Token string       // of the user
	Log   bytes.Buffer // what it has logged; to be read once it has ended

	t      *testing.T
	cmd    *exec.Cmd
	logged chan struct{} // closed when the log has ended
}

var ready = regexp.MustCompile(`"url":"([^"]+)".*"message":"ready"`)

// readyWithin is how long a daemon may take to be ready on a machine that is busy.
const readyWithin = 2 * time.Minute

// Serve starts "tuned serve" out of a folder of programs, at a port of the loopback interface, and returns once it is
// ready. Env is added to the environment. A daemon that is not ended is killed when the test ends.
func Serve(t *testing.T, bin, data string, env []string, flags ...string) *Daemon {
	t.Helper()
	d := &Daemon{Data: data, t: t, logged: make(chan struct{})}
	d.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(bin, "tuned"), append([]string{"serve", "--data-dir", data, "--listen", "127.0.0.1:0"}, flags...)...)
	d.cmd.Env = append(os.Environ(), env...)
	stderr, err := d.cmd.StderrPipe()
	if err == nil {
		err = d.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.cmd.ProcessState == nil {
			_ = d.cmd.Process.Kill()
			<-d.logged
			_ = d.cmd.Wait()
		}
	})
	d.awaitReady(stderr)
	token, err := os.ReadFile(filepath.Join(data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	d.Token = strings.TrimSpace(string(token))
	return d
}

// awaitReady reads the log, to its end in a goroutine of its own, and returns when the daemon is ready.
func (d *Daemon) awaitReady(stderr io.Reader) {
	d.t.Helper()
	url := make(chan string, 1)
	go func() {
		defer close(d.logged)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			d.Log.Write(append(lines.Bytes(), '\n'))
			if found := ready.FindSubmatch(lines.Bytes()); found != nil {
				url <- string(found[1])
			}
		}
	}()
	select {
	case d.URL = <-url:
	case <-d.logged:
		d.t.Fatalf("the daemon does not start:\n%s", &d.Log)
	case <-time.After(readyWithin):
		d.t.Fatal("the daemon is never ready")
	}
}

// Pid is its process.
func (d *Daemon) Pid() int { return d.cmd.Process.Pid }

// End sends a signal, which a daemon takes as the wish to end in order unless it is os.Kill, and waits for the end.
func (d *Daemon) End(signal os.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(signal); err != nil {
		d.t.Fatal(err)
	}
	<-d.logged
	if err := d.cmd.Wait(); err != nil && signal != os.Kill {
		d.t.Errorf("the daemon: %v\n%s", err, &d.Log)
	}
}
