package local

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/runnertest"
)

var agentPath string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "tuned-local-")
	if err == nil {
		err = buildAgent(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		reports, _ := filepath.Glob(filepath.Join(dir, "race.*"))
		for _, report := range reports {
			text, _ := os.ReadFile(report)
			fmt.Fprintf(os.Stderr, "in an agent:\n%s\n", text)
			code = 1
		}
		_ = os.RemoveAll(dir) // a folder for temporary files is emptied anyway
		os.Exit(code)
	}))
}

// buildAgent builds the program. One with the race detector leaves its findings beside itself.
func buildAgent(dir string) error {
	agentPath = filepath.Join(dir, "trial-agent")
	build := exec.Command("go", "build", "-o", agentPath)
	if raced {
		build.Args = append(build.Args, "-race")
		os.Setenv("GORACE", "log_path="+filepath.Join(dir, "race"))
	} else {
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	build.Args = append(build.Args, "github.com/tuned-hpo/tuned/cmd/trial-agent")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build trial-agent: %w\n%s", err, out)
	}
	return nil
}

var secret = []byte("secret of the test")

// open opens a runner whose agents dial the address.
func open(t *testing.T, dir, address string) *Runner {
	t.Helper()
	r, err := New(Config{Dir: dir, Agent: agentPath, Address: address, Secret: secret, Now: time.Now})
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
		if err := r.Stop(context.WithoutCancel(t.Context()), w.key, w.trial, w.attempt); err != nil {
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
	dir, err := os.MkdirTemp("", "sock") //nolint:usetesting // t.TempDir may be too long for a socket
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
	if err := d.greet(stream.Context(), h); err != nil {
		return err
	}
	for batch := first.GetMeasurements(); ; {
		acked, err := d.take(h.GetTrial(), batch)
		if err != nil {
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

func (d *daemon) greet(ctx context.Context, h *tunedv1.Hello) error {
	key := runnertest.Key
	want := "Bearer " + trialrunner.Token(secret, key, runnertest.UID, h.GetTrial(), int(h.GetAttempt()))
	if shown := metadata.ValueFromIncomingContext(ctx, "authorization"); !slices.Equal(shown, []string{want}) {
		return status.Error(codes.Unauthenticated, "wrong token")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hellos++
	return d.refuse
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
	timeout := time.After(5 * time.Minute)
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
