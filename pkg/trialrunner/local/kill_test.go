package local

import (
	"errors"
	"fmt"
	"io/fs"
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

// alive reports whether a process is there and no zombie.
func alive(pid string) bool {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return false
	}
	return !strings.Contains(string(text), ") Z ")
}

// family runs processes that leave their group, their session and their parent, ignore TERM, and
// write down who they are.
const family = `trap "" TERM
setsid sh -c 'trap "" TERM; (sh -c "trap \"\" TERM; echo \$\$ > $0/grandchild; while :; do sleep 0.1; done" &) ; echo $$ > $0/session; while :; do sleep 0.1; done' "$1" &
sh -c 'trap "" TERM; echo $$ > $0/child; while :; do sleep 0.1; done' "$1" &
echo $$ > "$1/main"
`

var members = []string{"main", "child", "session", "grandchild"}

// pids returns the ids of processes that have written them down, each in a file of its name.
func pids(t *testing.T, dir string, names []string) []string {
	t.Helper()
	var out []string
	for _, m := range names {
		pid := runnertest.AwaitFile(t, filepath.Join(dir, m))
		if !alive(pid) {
			t.Fatalf("%s (%s) does not run: the test shows nothing", m, pid)
		}
		out = append(out, pid)
	}
	return out
}

// checkGone wants processes to have been killed. On a busy machine the kernel may still be taking them apart.
func checkGone(t *testing.T, pids []string) {
	t.Helper()
	for _, pid := range pids {
		awaitGone(t, pid)
	}
}

func TestStopReachesEveryDescendant(t *testing.T) {
	t.Parallel()
	r, h := opened(t, "unix:/nobody")
	dir := t.TempDir()
	spec := h.Script("family", family+"while :; do sleep 0.1; done", dir)
	spec.Limits.Grace = 200 * time.Millisecond
	h.Start(t, spec)
	all := pids(t, dir, members)
	if err := r.Stop(t.Context(), spec.Experiment, spec.Trial, 1); err != nil {
		t.Fatal(err)
	}
	if w := h.End(t, spec); w.Exit.Reason != trialrunner.ReasonStopped || w.Exit.Signal != "killed" {
		t.Errorf("got %+v, want it stopped by KILL", w)
	}
	checkGone(t, all)
}

// TestTermReachesOtherSessions stops a command one of whose processes, in a session of its own, has
// something to do before it ends.
func TestTermReachesOtherSessions(t *testing.T) {
	t.Parallel()
	r, h := opened(t, "unix:/nobody")
	dir := t.TempDir()
	spec := h.Script("tidy", `setsid sh -c 'trap "echo tidy >> $0/tidied; exit" TERM; echo yes > $0/ready; while :; do sleep 0.05; done' "$1" &
wait`, dir)
	spec.Limits.Grace = 20 * time.Second
	h.Start(t, spec)
	runnertest.AwaitFile(t, filepath.Join(dir, "ready"))
	if err := r.Stop(t.Context(), spec.Experiment, spec.Trial, 1); err != nil {
		t.Fatal(err)
	}
	if w := h.End(t, spec); w.Exit.Reason != trialrunner.ReasonStopped {
		t.Errorf("got %+v, want it stopped", w)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "tidied")); err != nil || string(got) != "tidy\n" {
		t.Errorf("got %q and %v, want TERM to arrive once", got, err)
	}
}

func TestNothingOutlivesTheCommand(t *testing.T) {
	t.Parallel()
	_, h := opened(t, "unix:/nobody")
	dir := t.TempDir()
	spec := h.Script("leaves", family+`while [ ! -e "$1/go" ]; do sleep 0.05; done; exit 0`, dir)
	h.Start(t, spec)
	all := pids(t, dir, members)
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if w := h.End(t, spec); w.Exit.Reason != "Completed" {
		t.Errorf("got %+v, want it completed", w)
	}
	checkGone(t, all)
}

func TestKilledAgent(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.start()
	r, h := opened(t, "unix:"+d.path)
	dir := t.TempDir()
	spec := h.Script("orphaned", family+`i=1; while :; do echo "loss=$i"; i=$((i+1)); sleep 0.01; done`, dir)
	h.Start(t, spec)
	all := pids(t, dir, members)
	d.await(spec.Trial, 20)
	if err := agentOf(t, r, spec).Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w := h.End(t, spec)
	if w.Phase != trialrunner.Lost {
		t.Errorf("got %+v, want it lost", w)
	}
	checkGone(t, all)
	checkAll(t, d, r, spec.Trial, int(w.LastSeq))
	h.Start(t, spec) // it was started before: nothing happens
	if again := h.End(t, spec); again.Phase != trialrunner.Lost {
		t.Errorf("got %+v after another start, want it lost", again)
	}
}

// TestClock wants the times that the runner itself notes to be of the clock that it is given.
func TestClock(t *testing.T) {
	t.Parallel()
	moment := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	r, err := New(Config{Dir: t.TempDir(), Agent: agentPath, Address: "unix:/nobody", Secret: secret, Now: func() time.Time { return moment }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, r) })
	h := harness(t, r)
	dir := t.TempDir()
	spec := h.Script("clock", `echo yes > "$1/ready"; exec sleep 1000`, dir)
	h.Start(t, spec)
	runnertest.AwaitFile(t, filepath.Join(dir, "ready"))
	if w := h.Wait(t, spec, func(trialrunner.Workload) bool { return true }); !w.Started.Equal(moment) {
		t.Errorf("got %v as its start, want %v", w.Started, moment)
	}
	if err := agentOf(t, r, spec).Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if w := h.End(t, spec); w.Phase != trialrunner.Lost || !w.Finished.Equal(moment) {
		t.Errorf("got %+v, want it lost at %v", w, moment)
	}
}

// agentOf reads who the agent of a workload is.
func agentOf(t *testing.T, r *Runner, spec trialrunner.Spec) trialdir.Process {
	t.Helper()
	root := folderOf(t, r, spec)
	defer root.Close()
	var p trialdir.Process
	if err := trialdir.Read(root, trialdir.AgentFile, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func folderOf(t *testing.T, r *Runner, spec trialrunner.Spec) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(filepath.Dir(r.LogPath(spec.Experiment, spec.Trial, spec.Attempt)))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestSuccessor shows that an agent that comes after a dead one ends what that has left.
func TestSuccessor(t *testing.T) {
	t.Parallel()
	first := open(t, t.TempDir(), "unix:/nobody")
	h := harness(t, first)
	dir := t.TempDir()
	spec := h.Script("successor", `echo run >> "$1/runs"; `+family+"while :; do sleep 0.1; done", dir)
	spec.Command[len(spec.Command)-1] = dir
	h.Start(t, spec)
	all := pids(t, dir, members)
	agent := agentOf(t, first, spec)
	if err := first.Close(); err != nil { // nobody else buries it
		t.Fatal(err)
	}
	if err := agent.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(first.LogPath(spec.Experiment, spec.Trial, 1))
	root := folderOf(t, first, spec)
	defer root.Close()
	for locked := true; locked; time.Sleep(5 * time.Millisecond) {
		var err error
		if locked, err = trialdir.Locked(root); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(agentPath, "--dir", folder).CombinedOutput(); err != nil {
		t.Fatalf("successor: %v\n%s", err, out)
	}
	checkGone(t, all)
	var exit trialdir.Exit
	if err := trialdir.Read(root, trialdir.ExitFile, &exit); err != nil || exit.Reason != trialdir.ReasonLost {
		t.Errorf("got %+v and %v, want reason Lost", exit, err)
	}
	if got := runnertest.AwaitFile(t, filepath.Join(dir, "runs")); got != "run" {
		t.Errorf("got runs %q, want one", got)
	}
}

// awaitGone waits for the end of a process that the kernel may still be taking apart.
func awaitGone(t *testing.T, pid string) {
	t.Helper()
	deadline := time.After(5 * time.Minute)
	for alive(pid) {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatalf("process %s still runs", pid)
		}
	}
}

// TestAgentKilledAtRandom kills agents at any moment of their lives. No command runs twice, no
// measurement is lost or doubled, no process is left.
func TestAgentKilledAtRandom(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	d.start()
	r, h := opened(t, "unix:"+d.path)
	dir := t.TempDir()
	for i := range 20 {
		name := fmt.Sprint("random-", i)
		runs := filepath.Join(dir, name)
		spec := h.Script(name, `trap "" PIPE; echo $$ >> "$1"; i=1; while :; do echo "loss=$i"; i=$((i+1)); done 2> /dev/null`, runs)
		h.Start(t, spec)
		w := r.find(spec.Experiment, target{name, 1})
		r.mu.Lock()
		agent := w.agent
		r.mu.Unlock()
		time.Sleep(time.Duration(i*i) * time.Millisecond) // from the agent's start to long after its first report
		_ = agent.Kill()
		got := h.End(t, spec)
		if got.Phase != trialrunner.Lost {
			t.Errorf("%s: got %+v, want it lost", name, got)
		}
		checkAll(t, d, r, name, int(got.LastSeq))
		if text, err := os.ReadFile(runs); err == nil {
			pids := strings.Fields(string(text))
			if len(pids) > 1 { // none: it was killed between opening the file and writing
				t.Fatalf("%s: got runs %q, want at most one", name, pids)
			}
			for _, pid := range pids {
				awaitGone(t, pid)
			}
		}
	}
}

// hermit leaves every trace of its trial behind: environment, session, group and parent.
const hermit = `env -i setsid sh -c 'echo $$ > "$0/hermit"; sleep 1000 & echo $! > "$0/hermit-child"; sleep 1000 & echo $! > "$0/hermit-other"; wait' "$1" &
while :; do sleep 0.1; done`

var hermits = []string{"hermit", "hermit-child", "hermit-other"}

// TestKilledAgentOfAHermit shows that the daemon finds what only its parents could tell of.
func TestKilledAgentOfAHermit(t *testing.T) {
	t.Parallel()
	r, h := opened(t, "unix:/nobody")
	dir := t.TempDir()
	spec := h.Script("hermit", hermit, dir)
	h.Start(t, spec)
	all := pids(t, dir, hermits)
	if err := agentOf(t, r, spec).Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.End(t, spec)
	checkGone(t, all)
}

// TestKilledAgentOfAnotherLife has the agent die while there is no daemon, so that its orphans come
// to nobody who knows them. It is not parallel: in this process every test's orphans come together.
func TestKilledAgentOfAnotherLife(t *testing.T) {
	folder, dir := t.TempDir(), t.TempDir()
	first := open(t, folder, "unix:/nobody")
	h := harness(t, first)
	spec := h.Script("hermit", hermit, dir)
	h.Start(t, spec)
	all := pids(t, dir, hermits)
	awaitRecord(t, first, spec, all)
	agent := agentOf(t, first, spec)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := agent.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, strconv.Itoa(agent.PID))

	second := open(t, folder, "unix:/nobody")
	t.Cleanup(func() { shut(t, second) })
	h.Runner = second
	if w := h.End(t, spec); w.Phase != trialrunner.Lost {
		t.Errorf("got %+v, want it lost", w)
	}
	checkGone(t, all)
}

// awaitRecord waits until the agent has written down the processes.
func awaitRecord(t *testing.T, r *Runner, spec trialrunner.Spec, want []string) {
	t.Helper()
	root := folderOf(t, r, spec)
	defer root.Close()
	deadline := time.After(5 * time.Minute)
	for {
		var got []trialdir.Process
		if err := trialdir.Read(root, trialdir.ProcessesFile, &got); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		has := func(pid string) bool {
			return slices.ContainsFunc(got, func(p trialdir.Process) bool { return strconv.Itoa(p.PID) == pid })
		}
		if !slices.ContainsFunc(want, func(pid string) bool { return !has(pid) }) {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatalf("got processes %v written down, want all of %q", got, want)
		}
	}
}
