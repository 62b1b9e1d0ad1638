package kill_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// askers is how many clients evaluate each of the experiments that have no command.
const askers = 2

// perService bounds the kills of one service, and with them how many trials it comes to.
const perService = 200

// TestManyExperimentsSurviveKills kills a service under which trials of several experiments run as processes,
// while clients ask for trials of others and tell their results. After each death all that anybody has seen
// must be there; in the end each budget is spent to the last trial, each trial has run as often as it should,
// and no process is left.
func TestManyExperimentsSurviveKills(t *testing.T) {
	moment := moments(t)
	for left := *cycles; left > 0; left -= perService {
		surviveKills(t, min(left, perService), moment)
	}
}

// surviveKills kills one service so many times.
func surviveKills(t *testing.T, kills int, moment func() time.Duration) {
	t.Helper()
	dir, err := os.MkdirTemp("", "many") //nolint:usetesting // a folder of the test's name is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := newService(t, dir)
	s.start(t)
	ways := s.callers(t)
	l := newLedger(t, ways[0])
	all := experiments(dir, kills)
	for _, e := range all {
		l.insist(t.Context(), ways[0], "CreateExperiment", e.create(dir), &tunedv1.Experiment{})
	}
	var clients sync.WaitGroup
	for i, e := range all {
		for j := range e.askers {
			way, random := ways[(i+j)%len(ways)], rand.New(rand.NewPCG(*seed, uint64(100*i+j)))
			a := &asker{ledger: l, experiment: e.name, id: j, way: way, random: random}
			clients.Go(func() { a.work(t.Context()) })
		}
	}
	for n := range kills {
		l.look(t.Context(), all, false)
		l.repeat(t.Context(), 5)
		if s.kill(moment()) {
			t.Fatalf("the daemon ended by itself after %d kills, want %d: %v\n%s", n, kills, s.err, s.output.String())
		}
		s.start(t)
	}
	clients.Wait()
	l.awaitEnds(t.Context(), all)
	l.look(t.Context(), all, true)
	l.repeat(t.Context(), len(l.requests))
	for _, way := range ways {
		way.close()
	}
	s.end(t)
	for _, e := range all {
		e.check(t, s.data)
	}
	checkProcesses(t, s.data)
	checkStore(t, s.data)
	t.Logf("%d kills, %d experiments, %s", kills, len(all), l)
}

// one is an experiment of several.
type one struct {
	name     string
	budget   int
	attempts int    // that each trial has
	runs     string // file to which each attempt adds a line; "" where clients evaluate
	askers   int
	manifest string
	command  []string
}

// experiments are two whose commands run, one whose trials each fail once, and two that clients evaluate: more
// than ends between so many kills.
func experiments(dir string, kills int) (all []one) {
	for _, name := range []string{"red", "blue"} {
		e := one{name: name, budget: 3 * kills, attempts: 1, runs: filepath.Join(dir, name), manifest: named(name, 3*kills)}
		e.command = []string{filepath.Join(bin, "noisy"), "--runs", e.runs, "--every=30ms", "--x=${trialParameters.x}"}
		all = append(all, e)
	}
	again := one{name: "again", budget: kills, attempts: 2, runs: filepath.Join(dir, "again")}
	again.manifest = named(again.name, again.budget) + fmt.Sprintf(`
  trialTemplate:
    primaryContainerName: main
    trialParameters: [{name: x, reference: x}]
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        backoffLimit: 1
        template:
          spec:
            restartPolicy: Never
            containers:
              - {name: main, image: noisy, command: [%q, "--runs=%s", "--every=15ms", "--crash", "--x=${trialParameters.x}"]}
`, filepath.Join(bin, "noisy"), again.runs)
	all = append(all, again)
	for _, name := range []string{"asked", "told"} {
		all = append(all, one{name: name, budget: 4 * kills, attempts: 1, askers: askers, manifest: named(name, 4*kills)})
	}
	return all
}

func (e one) create(dir string) *tunedv1.CreateExperimentRequest {
	request := &tunedv1.CreateExperimentRequest{Namespace: namespace, Manifest: e.manifest}
	if e.runs != "" {
		request.Local = &tunedv1.Local{Dir: dir, Command: e.command}
	}
	return request
}

// check looks at what is stored of an experiment that has ended, and at what ran.
func (e one) check(t *testing.T, data string) {
	t.Helper()
	if e.runs == "" {
		return // the ledger has all that there was
	}
	checkTrials(t, data, e.name, e.budget, e.attempts)
	checkRuns(t, e.runs, e.budget, e.attempts)
}

// asker is a client that evaluates trials, one after the other, whatever becomes of the daemon meanwhile.
type asker struct {
	*ledger
	experiment string
	id, n      int
	way        caller
	random     *rand.Rand
}

// work goes on until there is no trial any more.
func (a *asker) work(ctx context.Context) {
	for ctx.Err() == nil {
		a.n++
		ask := &tunedv1.AskRequest{Namespace: namespace, Experiment: a.experiment, Count: 1, RequestId: fmt.Sprintf("c%d-%d", a.id, a.n)}
		answer := &tunedv1.AskResponse{}
		a.insist(ctx, a.way, "Ask", ask, answer)
		if len(answer.GetTrials()) == 0 {
			if answer.GetDone() {
				return
			}
			pause(ctx, 20*time.Millisecond) // the last ones are under way
			continue
		}
		a.asked(ask, answer)
		for _, trial := range answer.GetTrials() {
			a.evaluate(ctx, trial.GetName())
		}
	}
}

// evaluate reports some values of a trial and tells its result.
func (a *asker) evaluate(ctx context.Context, trial string) {
	reports := 1 + a.random.IntN(4)
	for i := range reports {
		pause(ctx, time.Duration(a.random.IntN(120))*time.Millisecond)
		report := &tunedv1.ReportTrialRequest{Namespace: namespace, Experiment: a.experiment, Trial: trial}
		report.Measurements = []*tunedv1.Measurement{{Seq: uint64(i + 1), Metric: "speed", Text: strconv.Itoa(i + 1)}}
		answer := &tunedv1.ReportTrialResponse{}
		a.insist(ctx, a.way, "ReportTrial", report, answer)
		if answer.GetAckedSeq() != uint64(i+1) {
			a.t.Errorf("%s of %s: %d acknowledged, want %d", trial, a.experiment, answer.GetAckedSeq(), i+1)
		}
		a.kept(a.experiment, trial, i+1)
	}
	value := strconv.Itoa(1000*a.id + a.n)
	tell := &tunedv1.TellRequest{Namespace: namespace, Experiment: a.experiment, Trial: trial, RequestId: "tell-" + trial}
	tell.Measurements = []*tunedv1.Measurement{{Seq: 1, Metric: "loss", Text: value}}
	result := &tunedv1.Trial{}
	a.insist(ctx, a.way, "Tell", tell, result)
	a.told(a.experiment, trial, value)
	a.kept(a.experiment, trial, reports+1)
	if a.random.IntN(3) == 0 {
		a.insist(ctx, a.way, "Tell", tell, result) // again, as one whose answer was lost
	}
	if got := valueOf(result); result.GetState() != "Succeeded" || got != value {
		a.t.Errorf("%s of %s: told %s, and it is %s with %q", trial, a.experiment, value, result.GetState(), got)
	}
}
