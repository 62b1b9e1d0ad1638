package local

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/runnertest"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

func TestSecondAgent(t *testing.T) {
	t.Parallel()
	r, h := opened(t, "unix:/nobody")
	ready := filepath.Join(t.TempDir(), "ready")
	spec := h.Script("single", `echo run >> "$1"; exec sleep 1000`, ready)
	h.Start(t, spec)
	runnertest.AwaitFile(t, ready)
	second := exec.Command(agentPath, "--dir", filepath.Dir(r.LogPath(spec.Experiment, spec.Trial, 1)))
	if err := second.Run(); second.ProcessState.ExitCode() != trialdir.ExitLocked {
		t.Errorf("got %v, want exit code %d", err, trialdir.ExitLocked)
	}
	if got := runnertest.AwaitFile(t, ready); got != "run" {
		t.Errorf("got runs %q, want one", got)
	}
}

func TestAdoption(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.start()
	dir, files := t.TempDir(), t.TempDir()
	first := open(t, dir, "unix:"+d.path)
	h := harness(t, first)
	wait := func(name string) trialrunner.Spec {
		return h.Script(name, count+`; while [ ! -e "$3" ]; do sleep 0.02; done; exit "$4"`, "100", "0.01", filepath.Join(files, name), "7")
	}
	ends, stopped, lost, ended := wait("ends"), wait("stopped"), wait("lost"), h.Script("ended", "exit 5")
	for _, spec := range []trialrunner.Spec{ends, stopped, lost, ended} {
		h.Start(t, spec)
	}
	h.End(t, ended)
	d.await(ends.Trial, 100)
	d.await(lost.Trial, 100)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	alive, err := Alive(dir)
	names := alive[ends.Experiment]
	slices.Sort(names)
	if want := []string{ends.Trial, lost.Trial, stopped.Trial}; err != nil || len(alive) != 1 || !slices.Equal(names, want) {
		t.Errorf("between two runners: got %v alive, %v; want %v", alive, err, want)
	}
	second := open(t, dir, "unix:"+d.path)
	t.Cleanup(func() { shut(t, second) })
	h.Runner = second
	for _, spec := range []trialrunner.Spec{ends, stopped, lost} {
		h.Wait(t, spec, func(w trialrunner.Workload) bool { return w.Phase == trialrunner.Running })
		h.Start(t, spec)
	}
	if w := h.End(t, ended); w.Exit.Code != 5 {
		t.Errorf("got %+v, want exit code 5", w)
	}
	endAdopted(t, h, filepath.Join(files, "ends"), ends, stopped, lost)
	for _, spec := range []trialrunner.Spec{ends, lost} {
		checkAll(t, d, second, spec.Trial, 100)
	}
}

// endAdopted lets one adopted workload end by itself, stops one, and kills the agent of one.
func endAdopted(t *testing.T, h runnertest.Harness, end string, ends, stopped, lost trialrunner.Spec) {
	t.Helper()
	if err := os.WriteFile(end, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if w := h.End(t, ends); w.Exit.Code != 7 || w.LastSeq != 100 {
		t.Errorf("got %+v, want exit code 7 and 100 measurements", w)
	}
	if err := h.Runner.Stop(t.Context(), stopped.Experiment, stopped.Trial, 1); err != nil {
		t.Fatal(err)
	}
	if w := h.End(t, stopped); w.Exit.Reason != trialrunner.ReasonStopped {
		t.Errorf("got %+v, want it stopped", w)
	}
	if err := agentOf(t, h.Runner.(*Runner), lost).Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if w := h.End(t, lost); w.Phase != trialrunner.Lost || w.LastSeq != 100 {
		t.Errorf("got %+v, want it lost with 100 measurements", w)
	}
}

// TestFlood shows that a program that prints without end neither grows the log nor loses what
// counts of its measurements.
func TestFlood(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.start()
	r, h := opened(t, "unix:"+d.path)
	spec := h.Trial("flood", "awk", `BEGIN { print "first"; for (i = 1; i <= 300000; i++) print "loss=" (i == 150000 ? -5 : i); print "last" }`)
	h.Start(t, spec)
	w := h.End(t, spec)
	if w.Exit.Reason != "Completed" || w.LastSeq == 0 || w.LastSeq > 300000 {
		t.Fatalf("got %+v", w)
	}
	left, err := r.Leftover(t.Context(), spec.Experiment, spec.Trial, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	least := false
	for _, m := range left {
		least = least || m.Text == "-5"
	}
	if last := left[len(left)-1].Text; !least || last != "300000" || uint64(len(left)) != w.LastSeq {
		t.Errorf("got %d of %d measurements, the least among them: %t, the last is %s", len(left), w.LastSeq, least, last)
	}
	text, err := os.ReadFile(r.LogPath(spec.Experiment, spec.Trial, 1))
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 4<<20 || !strings.HasPrefix(string(text), "first\n") || !strings.HasSuffix(string(text), "last\n") {
		t.Errorf("got a log of %d bytes, from %.20q to %q", len(text), text, text[len(text)-20:])
	}
}

// slots is a runner with four CPU slots and two GPUs.
func slots(t *testing.T, dir string) *Runner {
	t.Helper()
	r, err := New(Config{Dir: dir, Agent: agentPath, Address: "unix:/nobody", Secret: secret, CPUs: 4, GPUs: 2, GPUIDs: []string{"3", "5"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSlots(t *testing.T) {
	t.Parallel()
	dir, files := t.TempDir(), t.TempDir()
	first := slots(t, dir)
	h := harness(t, first)
	trial := func(name string, gpus, cpus int) trialrunner.Spec {
		spec := h.Script(name, `echo "$CUDA_VISIBLE_DEVICES" > "$1"; exec sleep 1000`, filepath.Join(files, name))
		spec.Limits = trialrunner.Limits{GPUs: gpus, CPUs: cpus}
		return spec
	}
	startOn := func(spec trialrunner.Spec, want string) {
		t.Helper()
		h.Start(t, spec)
		if got := runnertest.AwaitFile(t, filepath.Join(files, spec.Trial)); got != want {
			t.Errorf("%s: got GPU %s, want %s", spec.Trial, got, want)
		}
	}
	a, b, c := trial("a", 1, 1), trial("b", 1, 1), trial("c", 1, 1)
	startOn(a, "3")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	h.Runner = slots(t, dir) // knows from the folder what is taken
	t.Cleanup(func() { shut(t, h.Runner.(*Runner)) })
	startOn(b, "5")
	for spec, want := range map[*trialrunner.Spec]error{
		&c: trialrunner.ErrBusy, new(trial("cpus", 0, 3)): trialrunner.ErrBusy,
		new(trial("much", 3, 0)): trialrunner.ErrUnsupported, new(trial("cores", 0, 5)): trialrunner.ErrUnsupported,
	} {
		if err := h.Runner.Start(t.Context(), *spec); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", spec.Trial, err, want)
		}
	}
	if err := h.Runner.Stop(t.Context(), a.Experiment, a.Trial, 1); err != nil {
		t.Fatal(err)
	}
	h.End(t, a)
	startOn(c, "3")
}

// TestCleanStart shows that the command gets signals and open files as if a shell had started it.
func TestCleanStart(t *testing.T) {
	t.Parallel()
	var pipe [2]int // inherited by everything that this process starts
	if err := syscall.Pipe(pipe[:]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(pipe[0]); syscall.Close(pipe[1]) })
	_, h := opened(t, "unix:/nobody")
	file := filepath.Join(t.TempDir(), "status")
	spec := h.Script("clean", `ls /proc/$$/fd | while read fd; do readlink /proc/$$/fd/$fd; done > "$1.fds"; grep -E "Sig(Ign|Blk)" /proc/self/status > "$1"`, file)
	h.Start(t, spec)
	h.End(t, spec)
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	want := signals(t, string(own))
	for _, caught := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE, syscall.SIGTERM} {
		want["SigIgn"] &^= 1 << (caught - 1) // by the agent, also when this process ignores it, as in the background
	}
	if got := signals(t, runnertest.AwaitFile(t, file)); !maps.Equal(got, want) {
		t.Errorf("got signals %x, want %x", got, want)
	}
	fds := strings.Fields(runnertest.AwaitFile(t, file+".fds"))
	if len(fds) != 3 || fds[0] != os.DevNull || !strings.HasPrefix(fds[1], "pipe:") || !strings.HasPrefix(fds[2], "pipe:") {
		t.Errorf("got open files %q, want /dev/null and two pipes", fds)
	}
}

// signals reads the sets of ignored and blocked signals from the status of a process.
func signals(t *testing.T, status string) map[string]uint64 {
	t.Helper()
	sets := map[string]uint64{}
	for line := range strings.Lines(status) {
		name, text, _ := strings.Cut(line, ":")
		if name != "SigIgn" && name != "SigBlk" {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		sets[name] = set
	}
	return sets
}

// TestAgentIgnoresTheTerminal sends what a terminal sends when it is closed or interrupted.
func TestAgentIgnoresTheTerminal(t *testing.T) {
	t.Parallel()
	r, h := opened(t, "unix:/nobody")
	dir := t.TempDir()
	spec := h.Script("terminal", `echo yes > "$1/ready"; while [ ! -e "$1/go" ]; do sleep 0.02; done`, dir)
	h.Start(t, spec)
	runnertest.AwaitFile(t, filepath.Join(dir, "ready"))
	for _, signal := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE} {
		if err := agentOf(t, r, spec).Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if w := h.End(t, spec); w.Exit.Reason != "Completed" {
		t.Errorf("got %+v, want it completed", w)
	}
}

// TestAgentThatComesLate lets the daemon die after it started an agent and before that came up: the
// next one knows the workload at once, and of the two agents one runs the command.
func TestAgentThatComesLate(t *testing.T) {
	t.Parallel()
	folder, work := t.TempDir(), t.TempDir()
	late := filepath.Join(work, "late-agent")
	script := fmt.Sprintf(`#!/bin/sh
work=%q
while [ ! -e "$work/go" ]; do sleep 0.01; [ -d "$work" ] || exit; done
%q "$@"
echo $? >"$work/code" && mv "$work/code" "$work/left"
`, work, agentPath)
	if err := os.WriteFile(late, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	first, err := New(Config{Dir: folder, Agent: late, Address: "unix:/nobody", Secret: secret, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	h := harness(t, first)
	runs := filepath.Join(work, "runs")
	spec := h.Script("late", `echo run >> "$1"; while [ ! -e "$1.end" ]; do sleep 0.02; done`, runs)
	h.Start(t, spec)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	second := open(t, folder, "unix:/nobody")
	t.Cleanup(func() { shut(t, second) })
	h.Runner = second
	list, err := second.List(t.Context(), spec.Experiment)
	if err != nil || len(list) != 1 || list[0].Phase != trialrunner.Running {
		t.Fatalf("at once: got %+v, %v; want it running", list, err)
	}
	runnertest.AwaitFile(t, runs)
	for _, name := range []string{filepath.Join(work, "go"), runs + ".end"} { // the late one comes, the command ends
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if w := h.End(t, spec); w.Exit.Code != 0 {
		t.Errorf("got %+v, want exit code 0", w)
	}
	runnertest.AwaitFile(t, filepath.Join(work, "left")) // the late one has: it writes no more into the folder
	if got := runnertest.AwaitFile(t, runs); got != "run" {
		t.Errorf("got runs %q, want one", got)
	}
}

// TestDeadline wants a trial to run as long as its template or the experiment lets it, whichever is sooner.
func TestDeadline(t *testing.T) { //nolint:tparallel // the trials take turns
	t.Parallel()
	_, h := opened(t, "unix:"+filepath.Join(t.TempDir(), "nobody.sock"))
	for _, test := range []struct {
		name, seconds string
		wall          time.Duration
		want          string
	}{
		{"template", "1", 0, "1s"},
		{"template-sooner", "1", time.Hour, "1s"},
		{"experiment-sooner", "3600", 300 * time.Millisecond, "300ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := h.Script(test.name, "")
			spec.Command, spec.Limits.Wall, spec.Container = nil, test.wall, "main"
			spec.Template = object(t, "kind: Job\nspec: {activeDeadlineSeconds: "+test.seconds+
				", template: {spec: {containers: [{name: main, image: i, command: [sh, -c, exec sleep 1000]}]}}}")
			h.Start(t, spec)
			w := h.End(t, spec)
			if w.Exit.Reason != "TimedOut" || !strings.Contains(w.Exit.Message, "its limit of "+test.want+";") {
				t.Errorf("got %+v, want TimedOut after %s", w.Exit, test.want)
			}
		})
	}
}

// TestRetries wants the next runner to know, too, how often a trial is to be tried that failed while there was
// none.
func TestRetries(t *testing.T) {
	t.Parallel()
	folder, dir := t.TempDir(), t.TempDir()
	first := open(t, folder, "unix:/nobody")
	h := harness(t, first)
	spec := h.Script("retries", "")
	spec.Command, spec.Container = nil, "main"
	spec.Template = object(t, "kind: Job\nspec: {backoffLimit: 2, template: {spec: {containers: [{name: main, image: i, command: "+
		`[sh, -c, 'echo yes > "$0/ready"; while [ ! -e "$0/go" ]; do sleep 0.02; done; exit 3', "`+dir+`"]}]}}}`)
	h.Start(t, spec)
	runnertest.AwaitFile(t, filepath.Join(dir, "ready"))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	runnertest.AwaitFile(t, filepath.Join(filepath.Dir(first.LogPath(spec.Experiment, spec.Trial, 1)), trialdir.ExitFile))

	for range 2 { // the second one finds the attempt ended
		next := open(t, folder, "unix:/nobody")
		h.Runner = next
		if w := h.End(t, spec); !w.Crashed() || w.Retries != 2 {
			t.Errorf("got %+v, want it failed, to be tried again twice", w)
		}
		if err := next.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
