package guard_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

var races = flag.Int("races", 20, "pairs of daemons that are started at the same moment")

// contested is an experiment that clients evaluate.
const contested = `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: contested}
spec:
  maxTrialCount: 10000
  parallelTrialCount: 1
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parameters:
  - {name: x, parameterType: double, feasibleSpace: {min: "0", max: "1"}}
`

// TestRacedDaemons: of two daemons that are started for one data directory at the same moment exactly one lives; the
// other ends with code 75 and names the process that has it. What each of them acknowledged is kept.
func TestRacedDaemons(t *testing.T) {
	d := &daemon{&testenv.Daemon{Data: filepath.Join(t.TempDir(), "data")}, t}
	manifest := filepath.Join(t.TempDir(), "contested.yaml")
	write(t, manifest, contested)
	var trials []byte // as last seen
	for race := range *races {
		winner := d.race(race)
		if race == 0 {
			d.run(0, "submit", manifest)
		}
		if now := d.table(); !bytes.Equal(now, trials) {
			t.Fatalf("race %d: the trials are now\n%s\nand were\n%s", race, now, trials)
		}
		d.run(0, "tell", "contested", fmt.Sprintf("loss=%d", race), "--param", "x=0.5", "--request-id", fmt.Sprint(race))
		trials = d.table()
		if rows := bytes.Count(trials, []byte("\n")) - 1; rows != race+1 {
			t.Fatalf("race %d: %d trials, want %d\n%s", race, rows, race+1, trials)
		}
		if race == 0 {
			d.refusedAtRest(winner.pid())
		}
		winner.end([]syscall.Signal{syscall.SIGKILL, syscall.SIGTERM}[race%2])
	}
	d.run(0, "fsck")
	t.Logf("%d pairs of daemons, %d trials told", *races, *races)
}

// table is the trials; none before there is an experiment that has some.
func (d *daemon) table() []byte {
	d.t.Helper()
	out := d.run(0, "trials", "contested", "-o", "csv")
	if bytes.Count(out, []byte("\n")) < 2 {
		return nil
	}
	return out
}

// race starts two daemons at the same moment, waits until one has been refused, and returns the other.
func (d *daemon) race(number int) *contender {
	d.t.Helper()
	pair := [2]*contender{d.contend(), d.contend()}
	loser, winner := pair[0], pair[1]
	select {
	case <-pair[0].ended:
	case <-pair[1].ended:
		loser, winner = pair[1], pair[0]
	}
	loser.refusedBy(winner.pid())
	served := d.run(0, "store", "info", "-o", "jsonpath={.served}")
	select {
	case <-winner.ended:
		d.t.Fatalf("race %d: the other daemon ended, too\n%s", number, &winner.said)
	default:
	}
	if string(bytes.TrimSpace(served)) != "true" {
		d.t.Fatalf("race %d: served: %s, want true\n%s", number, served, &winner.said)
	}
	return winner
}

// refusedAtRest starts one more daemon beside one that has nothing to do: no file and no folder is touched.
func (d *daemon) refusedAtRest(holder int) {
	d.t.Helper()
	before := testenv.Tree(d.t, d.Data)
	late := d.contend()
	<-late.ended
	late.refusedBy(holder)
	after := testenv.Tree(d.t, d.Data)
	for path, what := range after {
		if before[path] != what {
			d.t.Errorf("a daemon that was refused left %s as %q, which was %q", path, what, before[path])
		}
	}
	if len(before) != len(after) || len(before) < 5 {
		d.t.Errorf("%d files and folders, %d before", len(after), len(before))
	}
}

// contender is a daemon that wants the data directory.
type contender struct {
	t     *testing.T
	cmd   *exec.Cmd
	said  bytes.Buffer  // to be read once it has ended
	ended chan struct{} // closed
}

func (d *daemon) contend() *contender {
	d.t.Helper()
	c := &contender{t: d.t, ended: make(chan struct{})}
	c.cmd = exec.CommandContext(context.WithoutCancel(d.t.Context()), filepath.Join(bin, "tuned"), "serve", "--data-dir", d.Data, "--listen", "none")
	c.cmd.Stderr = &c.said
	if err := c.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() // the exit code says it
	}()
	d.t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it has ended already, as a rule
		<-c.ended
	})
	return c
}

func (c *contender) pid() int { return c.cmd.Process.Pid }

// refusedBy looks at how a daemon ended.
func (c *contender) refusedBy(pid int) {
	c.t.Helper()
	const busy = 75
	want := fmt.Sprintf("in use by process %d,", pid)
	if code := c.cmd.ProcessState.ExitCode(); code != busy || !strings.Contains(c.said.String(), want) {
		c.t.Fatalf("exit code %d, want %d and %q\n%s", code, busy, want, &c.said)
	}
}

// end ends a daemon that is ready.
func (c *contender) end(how syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(how); err != nil {
		c.t.Fatal(err)
	}
	<-c.ended
	if code := c.cmd.ProcessState.ExitCode(); how == syscall.SIGTERM && code != 0 {
		c.t.Fatalf("exit code %d, want 0\n%s", code, &c.said)
	}
}
