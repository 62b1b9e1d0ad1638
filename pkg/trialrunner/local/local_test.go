package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/runnertest"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

var agentPath string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tuned-local-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	agentPath = filepath.Join(dir, "trial-agent")
	build := exec.Command("go", "build", "-o", agentPath, "github.com/tuned-hpo/tuned/cmd/trial-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build trial-agent: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

var secret = []byte("secret of the test")

// open opens a runner whose agents dial the address.
func open(t *testing.T, dir, address string) *Runner {
	t.Helper()
	r, err := New(Config{Dir: dir, Agent: agentPath, Address: address, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func harness(t *testing.T, r *Runner) runnertest.Harness {
	work := t.TempDir()
	return runnertest.Harness{Runner: r, Spec: func(s trialrunner.Spec) trialrunner.Spec {
		s.Local.Dir = work
		return s
	}}
}

// opened is a runner that is closed, and its workloads ended, with the test.
func opened(t *testing.T, address string) (*Runner, runnertest.Harness) {
	t.Helper()
	r := open(t, t.TempDir(), address)
	t.Cleanup(func() { shut(t, r) })
	return r, harness(t, r)
}

// shut ends all workloads and closes the runner.
func shut(t *testing.T, r *Runner) {
	r.mu.Lock()
	var all []*workload
	for _, of := range r.work {
		for _, w := range of {
			w.grace = 0
			all = append(all, w)
		}
	}
	r.mu.Unlock()
	for _, w := range all {
		if err := r.Stop(context.Background(), w.key, w.trial, w.attempt); err != nil {
			t.Errorf("stop at the end of the test: %v", err)
		}
	}
	for _, w := range all {
		<-w.ended
	}
	if err := r.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	runnertest.Run(t, func(t *testing.T) runnertest.Harness {
		_, h := opened(t, "unix:"+filepath.Join(t.TempDir(), "nobody.sock"))
		return h
	})
}

// daemon is an AgentService that remembers what it acknowledged.
type daemon struct {
	tunedv1.UnimplementedAgentServiceServer
	t    *testing.T
	path string

	mu      sync.Mutex
	refuse  error
	got     map[string][]*tunedv1.Measurement // by trial; only what was acknowledged
	hellos  int
	arrived chan struct{} // capacity 1
	server  *grpc.Server
}

func newDaemon(t *testing.T) *daemon {
	dir, err := os.MkdirTemp("", "sock") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, path: filepath.Join(dir, "d.sock"), got: map[string][]*tunedv1.Measurement{}, arrived: make(chan struct{}, 1)}
	t.Cleanup(func() { d.stop(); os.RemoveAll(dir) })
	return d
}

func (d *daemon) start() {
	os.Remove(d.path)
	listener, err := net.Listen("unix", d.path)
	if err != nil {
		d.t.Fatal(err)
	}
	d.server = grpc.NewServer(grpc.MaxRecvMsgSize(256 << 10))
	tunedv1.RegisterAgentServiceServer(d.server, d)
	go func() { _ = d.server.Serve(listener) }()
}

func (d *daemon) stop() {
	if d.server != nil {
		d.server.Stop()
	}
}

func (d *daemon) Report(stream tunedv1.AgentService_ReportServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	h := first.GetHello()
	acked, err := d.greet(h)
	if err != nil {
		return err
	}
	for batch := first.GetMeasurements(); ; {
		if acked, err = d.take(h.GetTrial(), batch); err != nil {
			return err
		}
		if err := stream.Send(&tunedv1.ReportResponse{AckedSeq: acked}); err != nil {
			return err
		}
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		batch = request.GetMeasurements()
	}
}

func (d *daemon) greet(h *tunedv1.Hello) (uint64, error) {
	key := runnertest.Key
	if want := trialrunner.Token(secret, key, "uid-1", h.GetTrial(), int(h.GetAttempt())); h.GetToken() != want {
		return 0, status.Error(codes.Unauthenticated, "wrong token")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hellos++
	return uint64(len(d.got[h.GetTrial()])), d.refuse
}

// take keeps a batch; a number that is no next one fails the test, unless it is known already.
func (d *daemon) take(trial string, batch []*tunedv1.Measurement) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse != nil {
		return 0, d.refuse
	}
	for _, m := range batch {
		next := uint64(len(d.got[trial])) + 1
		if m.GetSeq() > next {
			d.t.Errorf("%s: number %d came after %d", trial, m.GetSeq(), next-1)
		}
		if m.GetSeq() == next {
			d.got[trial] = append(d.got[trial], m)
		}
	}
	select {
	case d.arrived <- struct{}{}:
	default:
	}
	return uint64(len(d.got[trial])), nil
}

func (d *daemon) count(trial string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.got[trial])
}

// await waits until n measurements were acknowledged.
func (d *daemon) await(trial string, n int) {
	d.t.Helper()
	timeout := time.After(time.Minute)
	for d.count(trial) < n {
		select {
		case <-d.arrived:
		case <-timeout:
			d.t.Fatalf("%s: %d measurements arrived, want %d", trial, d.count(trial), n)
		}
	}
}

func (d *daemon) refuseWith(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = err
}

// checkAll checks that what the daemon has and what is left make 1..n, each once.
func checkAll(t *testing.T, d *daemon, r *Runner, trial string, n int) {
	t.Helper()
	acked := d.count(trial)
	left, err := r.Leftover(t.Context(), runnertest.Key, trial, 1, uint64(acked))
	if err != nil {
		t.Fatal(err)
	}
	if acked+len(left) != n {
		t.Errorf("%d were acknowledged and %d are left, want %d in all", acked, len(left), n)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, m := range d.got[trial] {
		if want := strconv.Itoa(i + 1); m.GetText() != want || m.GetSeq() != uint64(i+1) {
			t.Fatalf("number %d: got %v, want text %s", i+1, m, want)
		}
	}
	for i, m := range left {
		if want := strconv.Itoa(acked + i + 1); m.Text != want {
			t.Fatalf("leftover %d: got %v, want text %s", i, m, want)
		}
	}
}

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

func pids(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	for _, m := range members {
		pid := runnertest.AwaitFile(t, filepath.Join(dir, m))
		if !alive(pid) {
			t.Fatalf("%s (%s) does not run: the test shows nothing", m, pid)
		}
		out = append(out, pid)
	}
	return out
}

func checkGone(t *testing.T, pids []string) {
	t.Helper()
	for i, pid := range pids {
		if alive(pid) {
			t.Errorf("%s (%s) still runs", members[i], pid)
		}
	}
}

func TestStopReachesEveryDescendant(t *testing.T) {
	t.Parallel()
	r, h := opened(t, "unix:/nobody")
	dir := t.TempDir()
	spec := h.Script("family", family+"while :; do sleep 0.1; done", dir)
	spec.Limits.Grace = 200 * time.Millisecond
	h.Start(t, spec)
	all := pids(t, dir)
	if err := r.Stop(t.Context(), spec.Experiment, spec.Trial, 1); err != nil {
		t.Fatal(err)
	}
	if w := h.End(t, spec); w.Exit.Reason != "Stopped" || w.Exit.Signal != "killed" {
		t.Errorf("got %+v, want it stopped by KILL", w)
	}
	checkGone(t, all)
}

func TestNothingOutlivesTheCommand(t *testing.T) {
	t.Parallel()
	_, h := opened(t, "unix:/nobody")
	dir := t.TempDir()
	spec := h.Script("leaves", family+`while [ ! -e "$1/go" ]; do sleep 0.05; done; exit 0`, dir)
	h.Start(t, spec)
	all := pids(t, dir)
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
	all := pids(t, dir)
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

// TestSuccessor shows that an agent that comes after a dead one ends what that has left.
func TestSuccessor(t *testing.T) {
	t.Parallel()
	first := open(t, t.TempDir(), "unix:/nobody")
	h := harness(t, first)
	dir := t.TempDir()
	spec := h.Script("successor", `echo run >> "$1/runs"; `+family+"while :; do sleep 0.1; done", dir)
	spec.Command[len(spec.Command)-1] = dir
	h.Start(t, spec)
	all := pids(t, dir)
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
	if err := os.WriteFile(filepath.Join(files, "ends"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if w := h.End(t, ends); w.Exit.Code != 7 || w.LastSeq != 100 {
		t.Errorf("got %+v, want exit code 7 and 100 measurements", w)
	}
	if err := second.Stop(t.Context(), stopped.Experiment, stopped.Trial, 1); err != nil {
		t.Fatal(err)
	}
	if w := h.End(t, stopped); w.Exit.Reason != "Stopped" {
		t.Errorf("got %+v, want it stopped", w)
	}
	if err := agentOf(t, second, lost).Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if w := h.End(t, lost); w.Phase != trialrunner.Lost || w.LastSeq != 100 {
		t.Errorf("got %+v, want it lost with 100 measurements", w)
	}
	for _, spec := range []trialrunner.Spec{ends, lost} {
		checkAll(t, d, second, spec.Trial, 100)
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

func TestSlots(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := Config{Dir: dir, Agent: agentPath, Address: "unix:/nobody", Secret: secret, CPUs: 4, GPUs: 2, GPUIDs: []string{"3", "5"}}
	first, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	h := harness(t, first)
	files := t.TempDir()
	gpu := func(name string, gpus, cpus int) trialrunner.Spec {
		spec := h.Script(name, `echo "$CUDA_VISIBLE_DEVICES" > "$1"; exec sleep 1000`, filepath.Join(files, name))
		spec.Limits = trialrunner.Limits{GPUs: gpus, CPUs: cpus}
		return spec
	}
	a, b, c := gpu("a", 1, 1), gpu("b", 1, 1), gpu("c", 1, 1)
	h.Start(t, a)
	if got := runnertest.AwaitFile(t, filepath.Join(files, "a")); got != "3" {
		t.Errorf("got GPU %s, want 3", got)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, second) })
	h.Runner = second
	h.Start(t, b)
	if got := runnertest.AwaitFile(t, filepath.Join(files, "b")); got != "5" {
		t.Errorf("got GPU %s, want 5", got)
	}
	for _, spec := range []trialrunner.Spec{c, gpu("cpus", 0, 3)} {
		if err := second.Start(t.Context(), spec); !errors.Is(err, trialrunner.ErrBusy) {
			t.Errorf("%s: got %v, want ErrBusy", spec.Trial, err)
		}
	}
	for _, spec := range []trialrunner.Spec{gpu("much", 3, 0), gpu("cores", 0, 5)} {
		if err := second.Start(t.Context(), spec); !errors.Is(err, trialrunner.ErrUnsupported) {
			t.Errorf("%s: got %v, want ErrUnsupported", spec.Trial, err)
		}
	}
	if err := second.Stop(t.Context(), a.Experiment, a.Trial, 1); err != nil {
		t.Fatal(err)
	}
	h.End(t, a)
	h.Start(t, c)
	if got := runnertest.AwaitFile(t, filepath.Join(files, "c")); got != "3" {
		t.Errorf("got GPU %s, want the one that became free", got)
	}
}
