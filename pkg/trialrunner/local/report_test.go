package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/pkg/trialrunner/runnertest"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// count prints loss=1 ... loss=n, with a pause after each tenth.
const count = `i=1; while [ $i -le "$1" ]; do echo "loss=$i"; [ $((i % 10)) = 0 ] && sleep "$2"; i=$((i+1)); done`

func TestReports(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.start()
	r, h := opened(t, "unix:"+d.path)
	spec := h.Script("reports", count, "400", "0.02")
	h.Start(t, spec)
	d.await(spec.Trial, 100) // while it runs
	if w := h.End(t, spec); w.LastSeq != 400 {
		t.Errorf("got last number %d, want 400", w.LastSeq)
	}
	if got := d.count(spec.Trial); got != 400 {
		text, _ := os.ReadFile(filepath.Join(filepath.Dir(r.LogPath(spec.Experiment, spec.Trial, 1)), trialdir.AgentLog))
		t.Errorf("%d were delivered before the agent ended, want 400; the agent says: %s", got, text)
	}
	checkAll(t, d, r, spec.Trial, 400)
}

func TestAgentOutlivesTheServer(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	r, h := opened(t, "unix:"+d.path)
	spec := h.Script("outlives", count, "2000", "0.02")
	h.Start(t, spec)
	for range 4 {
		d.start()
		before := d.count(spec.Trial)
		d.await(spec.Trial, before+50)
		d.stop()
	}
	d.start()
	h.End(t, spec)
	checkAll(t, d, r, spec.Trial, 2000)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hellos < 4 {
		t.Errorf("%d sessions, want one per life of the server", d.hellos)
	}
}

func TestLongSocketPath(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.start()
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(d.path, filepath.Join(long, "d.sock")); err != nil {
		t.Fatal(err)
	}
	_, h := opened(t, "unix:"+filepath.Join(long, "d.sock"))
	spec := h.Script("long", count, "100", "0.1")
	h.Start(t, spec)
	d.await(spec.Trial, 50)
}

func TestSuperseded(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.refuseWith(status.Error(codes.FailedPrecondition, "the trial is over"))
	d.start()
	_, h := opened(t, "unix:"+d.path)
	spec := h.Script("superseded", "exec sleep 1000")
	h.Start(t, spec)
	if w := h.End(t, spec); w.Exit.Reason != "Superseded" {
		t.Errorf("got %+v, want reason Superseded", w)
	}
}

// TestRefusals shows that an agent goes on while it is refused, and loses nothing.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.Unauthenticated, codes.ResourceExhausted, codes.Unavailable} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t)
			d.refuseWith(status.Error(code, "not now"))
			d.start()
			r, h := opened(t, "unix:"+d.path)
			spec := h.Script("refused", count, "800", "0.02")
			h.Start(t, spec)
			runnertest.AwaitFile(t, filepath.Join(filepath.Dir(r.LogPath(spec.Experiment, spec.Trial, 1)), trialdir.AgentLog))
			d.refuseWith(nil)
			d.await(spec.Trial, 10)
			h.End(t, spec)
			checkAll(t, d, r, spec.Trial, 800)
		})
	}
}
