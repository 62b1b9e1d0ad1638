package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// key names the experiment of every measurement.
var key = experiment.Key{Namespace: "default", Name: "bench"}

// spec is an experiment of one parameter.
func spec(parallel, budget int) string {
	return fmt.Sprintf(`apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: %s}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: %d
  maxTrialCount: %d
  maxFailedTrialCount: 0
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: "0", max: "1"}}
`, key.Name, parallel, budget)
}

// daemon is one life of tuned run or tuned serve.
type daemon struct {
	cmd     *exec.Cmd
	data    string // its data directory
	started time.Time
	stop    context.CancelFunc
	exited  chan struct{}
	output  bytes.Buffer // to be read once it has exited
}

const (
	startLimit = 2 * time.Minute  // of a daemon to answer
	stopLimit  = 30 * time.Second // of a daemon to end, after which it is killed
	maxSocket  = 100              // bytes of a path; beyond, the daemon puts its socket elsewhere
)

// start runs an experiment in a data directory. Its trials are command, or are asked for when
// there is none. See launch.
func (b *bench) start(ctx context.Context, data, spec string, command ...string) (context.Context, *daemon, error) {
	argv := []string{filepath.Join(b.bin, "tuned"), "run", "--progress=none", "--data-dir", data, "-"}
	if len(command) > 0 {
		argv = append(append(argv, "--"), command...)
	}
	return b.launch(ctx, data, argv, spec)
}

// launch starts a daemon. The context ends with the process, if not before. The caller calls end.
func (b *bench) launch(ctx context.Context, data string, argv []string, stdin string) (context.Context, *daemon, error) {
	d := &daemon{data: data, exited: make(chan struct{})}
	if len(d.socket()) > maxSocket {
		return nil, nil, fmt.Errorf("%s is too long for the path of a socket; set TMPDIR to a shorter one", d.socket())
	}
	ctx, d.stop = context.WithCancel(ctx)
	d.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	d.cmd.Stdin, d.cmd.Stdout, d.cmd.Stderr = strings.NewReader(stdin), &d.output, &d.output
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(syscall.SIGTERM) } // it ends its trials
	d.cmd.WaitDelay = stopLimit
	d.started = time.Now()
	if err := d.cmd.Start(); err != nil {
		d.stop()
		return nil, nil, err
	}
	alive, dead := context.WithCancelCause(ctx)
	go func() {
		err := d.cmd.Wait()
		dead(fmt.Errorf("the daemon has ended: %w\n%s", err, d.output.String()))
		close(d.exited)
	}()
	return alive, d, nil
}

func (d *daemon) socket() string { return filepath.Join(d.data, "tuned.sock") }

// cpu returns the CPU time of a daemon that has ended, and of those it has waited for.
func (d *daemon) cpu() time.Duration {
	return d.cmd.ProcessState.UserTime() + d.cmd.ProcessState.SystemTime()
}

// end ends the daemon if it still runs.
func (d *daemon) end() {
	d.stop()
	<-d.exited
}

// kill ends it as a crash would.
func (d *daemon) kill() error {
	err := d.cmd.Process.Kill()
	<-d.exited
	return err
}

// interrupt ends it as its user would.
func (d *daemon) interrupt() error {
	d.stop()
	return d.wait(130)
}

// wait waits for the end and compares the exit code.
func (d *daemon) wait(want int) error {
	<-d.exited
	if got := d.cmd.ProcessState.ExitCode(); got != want {
		return fmt.Errorf("tuned run ended with code %d, want %d:\n%s", got, want, d.output.String())
	}
	return nil
}

// dial connects to the daemon, which may not listen yet.
func (d *daemon) dial() (*grpc.ClientConn, error) {
	soon := backoff.Config{BaseDelay: retry, Multiplier: 1, MaxDelay: retry}
	return grpc.NewClient("unix:"+d.socket(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: soon, MinConnectTimeout: time.Second}))
}

// retry is the time between two questions to a daemon that is not ready, and so how late an answer
// may be noticed.
const retry = 2 * time.Millisecond

// ready asks until the daemon answers with neither NotFound nor Unavailable.
func ready[T any](ctx context.Context, ask func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		answer, err := ask(ctx)
		if code := status.Code(err); ctx.Err() == nil && code != codes.NotFound && code != codes.Unavailable {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return answer, errors.Join(err, context.Cause(ctx))
		case <-time.After(retry):
		}
	}
}

// getExperiment asks for the experiment until it is answered.
func getExperiment(ctx context.Context, users tunedv1.TuningServiceClient) (*tunedv1.Experiment, error) {
	request := &tunedv1.GetExperimentRequest{Namespace: key.Namespace, Name: key.Name}
	got, err := ready(ctx, func(ctx context.Context) (*tunedv1.Experiment, error) {
		return users.GetExperiment(ctx, request, grpc.WaitForReady(true))
	})
	if err != nil {
		return nil, fmt.Errorf("get experiment: %w", err)
	}
	return got, nil
}

// askTrials asks for trials until it is answered.
func askTrials(ctx context.Context, users tunedv1.TuningServiceClient, count int) ([]*tunedv1.Trial, error) {
	request := &tunedv1.AskRequest{Namespace: key.Namespace, Experiment: key.Name, Count: int32(count)}
	got, err := ready(ctx, func(ctx context.Context) (*tunedv1.AskResponse, error) {
		return users.Ask(ctx, request, grpc.WaitForReady(true))
	})
	if err != nil {
		return nil, fmt.Errorf("ask for %d trials: %w", count, err)
	}
	if len(got.GetTrials()) != count {
		return nil, fmt.Errorf("asked for %d trials, got %d", count, len(got.GetTrials()))
	}
	return got.GetTrials(), nil
}
