package faults_test

import (
	"context"
	"fmt"
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

const header = `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: %s}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  parallelTrialCount: 2
`

// Of the trials every second one is over before its agent would connect.
const trialsSpec = `  maxTrialCount: 4
  maxFailedTrialCount: 1
  algorithm: {algorithmName: grid}
  parameters:
    - {name: x, parameterType: categorical, feasibleSpace: {list: ["1", "2"]}}
    - {name: every, parameterType: categorical, feasibleSpace: {list: [%s, "1ms"]}}
`

const toldSpec = `  maxTrialCount: %d
  algorithm: {algorithmName: random}
  tuned: {trialTimeout: %s}
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: "0", max: "1"}}
`

const trialLines = 12

func (w *world) noisy() (file string, command []string) {
	return w.write("trials", fmt.Sprintf(header+trialsSpec, "trials", w.pace)), []string{
		"--", filepath.Join(bin, "noisy"), "--runs", w.runs(), "--lines", fmt.Sprint(trialLines),
		"--x=${trialParameters.x}", "--every=${trialParameters.every}",
	}
}

// trials runs an experiment. The first life of the daemon is killed while trials run.
func (w *world) trials() {
	file, command := w.noisy()
	first := w.start(file, command...)
	if first.wait() {
		select {
		case <-first.exited:
		case <-time.After(50 * time.Millisecond * time.Duration(w.fault.seed%5)):
		}
		_ = first.Process.Kill()
	}
	w.end(first)
	w.finish(file, command)
}

// finish starts the experiment until it has come to its end.
func (w *world) finish(file string, command []string) {
	w.t.Helper()
	for range 4 {
		l := w.start(file, command...)
		code := w.end(l)
		if code == 0 {
			return
		}
		w.t.Logf("tuned run: exit code %d: %s", code, l.stderr.String())
	}
	w.t.Fatal("the experiment never ends")
}

// stop interrupts an experiment, which stops its trials, and goes on with it.
func (w *world) stop() {
	file, command := w.noisy()
	first := w.start(file, command...)
	if first.wait() {
		_ = first.Process.Signal(syscall.SIGINT)
	}
	w.end(first)
	w.finish(file, command)
}

// client asks and tells, and tries again while there is no answer.
type client struct {
	*world
	users  tunedv1.TuningServiceClient
	daemon *life
	begin  func() *life // starts it
	file   string       // with the experiment
}

func (w *world) client(name, spec string) (c *client, done func()) {
	w.t.Helper()
	c = &client{world: w, file: w.write(name, fmt.Sprintf(header, name)+spec)}
	conn, err := grpc.NewClient("unix:"+filepath.Join(w.data(), "tuned.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1, MaxDelay: 5 * time.Millisecond}}))
	if err != nil {
		w.t.Fatal(err)
	}
	c.users, c.begin = tunedv1.NewTuningServiceClient(conn), func() *life { return w.start(c.file) }
	c.daemon = c.begin()
	return c, func() { _ = conn.Close() }
}

// try calls until there is an answer that is not the daemon's death, which it is started after.
func (c *client) try(call func(context.Context) error) error {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), longest)
	defer cancel()
	for {
		err := call(ctx)
		switch status.Code(err) {
		case codes.Unavailable, codes.Internal, codes.NotFound, codes.ResourceExhausted:
		default:
			return err
		}
		select {
		case <-c.daemon.exited:
			c.daemon = c.begin()
		case <-ctx.Done():
			return fmt.Errorf("%w: %w: %s", err, ctx.Err(), c.daemon.stderr.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// ask asks for one trial, twice with the same request.
func (c *client) ask(experiment, request string) (trial string) {
	c.t.Helper()
	var names []string
	for range 2 {
		err := c.try(func(ctx context.Context) error {
			answer, err := c.users.Ask(ctx, &tunedv1.AskRequest{Namespace: "default", Experiment: experiment, Count: 1, RequestId: request}, grpc.WaitForReady(false))
			if err == nil && len(answer.GetTrials()) == 0 && !answer.GetDone() {
				return status.Error(codes.Unavailable, "no room yet")
			}
			if err == nil && len(answer.GetTrials()) > 0 {
				names = append(names, answer.GetTrials()[0].GetName())
			}
			return err
		})
		if err != nil {
			c.t.Fatalf("ask %s: %v", request, err)
		}
	}
	if len(names) != 2 || names[0] != names[1] {
		c.t.Fatalf("request %s: got trials %q, want the same one twice", request, names)
	}
	return names[0]
}

// tell tells a result until it is accepted, or the trial is over because that was too late.
func (c *client) tell(experiment, trial, value string) (accepted bool) {
	c.t.Helper()
	err := c.try(func(ctx context.Context) error {
		_, err := c.users.Tell(ctx, &tunedv1.TellRequest{
			Namespace: "default", Experiment: experiment, Trial: trial,
			Measurements: []*tunedv1.Measurement{{Seq: 1, Metric: "loss", Text: value}},
		})
		return err
	})
	if err != nil && status.Code(err) != codes.FailedPrecondition {
		c.t.Fatalf("tell %s: %v", trial, err)
	}
	return err == nil
}

const toldTrials = 4

// tell evaluates an experiment's trials here, but for the first one, whose client is gone.
func (w *world) tell() {
	c, done := w.client("told", fmt.Sprintf(toldSpec, toldTrials, "1s"))
	defer done()
	c.ask("told", "r0")
	told := map[string]string{}
	for i := 1; i < toldTrials; i++ {
		trial, value := c.ask("told", fmt.Sprintf("r%d", i)), fmt.Sprint(i)
		if c.tell("told", trial, value) {
			told[trial] = value
		}
	}
	for code := w.end(c.daemon); code != 0; code = w.end(c.daemon) { // it ends when the first trial is too late
		c.daemon = c.begin()
	}
	w.checkTold(told)
}

// prune has a rule stop a trial, of which its client reports a value that is too large.
func (w *world) prune() {
	c, done := w.client("told", strings.Replace(fmt.Sprintf(toldSpec, 2, "1m"), "tuned: {",
		`tuned: {earlyStopping: [{algorithmName: threshold, algorithmSettings: [{name: upper, value: "5"}]}], `, 1))
	defer done()
	trial, seq := c.ask("told", "r1"), uint64(0)
	for stop := false; !stop; {
		seq++
		c.must("report", func(ctx context.Context) error {
			answer, err := c.users.ReportTrial(ctx, &tunedv1.ReportTrialRequest{
				Namespace: "default", Experiment: "told", Trial: trial,
				Measurements: []*tunedv1.Measurement{{Seq: seq, Metric: "loss", Text: "7"}},
			})
			stop = answer.GetShouldStop()
			return err
		})
	}
	c.tell("told", c.ask("told", "r2"), "1")
	for code := w.end(c.daemon); code != 0; code = w.end(c.daemon) {
		c.daemon = c.begin()
	}
	s := w.open()
	defer s.Close()
	trials, err := s.Trials(w.t.Context(), toldKey)
	if want := "stopped early by threshold: step 1: value 7 is above 5"; err != nil || len(trials) != 2 ||
		trials[0].State != experiment.TrialEarlyStopped || trials[0].Message != want || seq > 2 {
		w.t.Errorf("got %+v, %v after %d reports; want two, the first %s", trials, err, seq, want)
	}
}

// delete deletes an experiment, and has the store swept by a daemon that goes on.
func (w *world) delete() {
	w.evaluate("told")
	w.call("delete", "told", "--yes", "--data-dir", w.data())
	w.evaluate("next")
	if out, err := w.program("list", "--data-dir", w.data()).CombinedOutput(); err != nil || containsWord(out, "told") {
		w.t.Errorf("list: %v: got\n%s\nwant no experiment told", err, out)
	}
}

// evaluate runs an experiment of two trials here.
func (w *world) evaluate(name string) {
	w.evaluateAs(name, fmt.Sprintf(toldSpec, 2, "1m"))
}

func (w *world) evaluateAs(name, spec string) {
	c, done := w.client(name, spec)
	defer done()
	for _, request := range []string{"r1", "r2"} {
		c.tell(name, c.ask(name, request), "1")
	}
	for code := w.end(c.daemon); code != 0; code = w.end(c.daemon) {
		c.daemon = c.begin()
	}
}
