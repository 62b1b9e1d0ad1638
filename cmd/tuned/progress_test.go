package main

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

var start = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// fixture is a snapshot with a trial in each of several states.
func fixture() tuner.Snapshot {
	e := &experiment.Experiment{Metadata: experiment.Metadata{Namespace: "default", Name: "digits"}}
	goal := 0.05
	e.Spec.Objective = &experiment.Objective{
		Type: "minimize", Goal: &goal, ObjectiveMetricName: "loss",
		AdditionalMetricNames: []string{"accuracy"},
		MetricStrategies:      []experiment.MetricStrategy{{Name: "loss", Value: "min"}, {Name: "accuracy", Value: "max"}},
	}
	e.Spec.MaxTrialCount, e.Spec.ParallelTrialCount = new(int32(8)), new(int32(2))
	e.Spec.Parameters = []experiment.ParameterSpec{{Name: "lr"}, {Name: "opt"}}
	e.Status = experiment.NewStatus(start)
	s := tuner.Snapshot{Experiment: e, Trials: []experiment.Trial{
		finishedTrial(1, 2, experiment.TrialSucceeded, "0.3", "adam"),
		finishedTrial(2, 1, experiment.TrialSucceeded, "0.5", "it's"),
		finishedTrial(3, 3, experiment.TrialFailed, "", "adam"),
		{Number: 4, Name: "digits-4", State: experiment.TrialRunning, Started: start.Add(10 * time.Second)},
		{Number: 5, Name: "digits-5", State: experiment.TrialPending},
	}}
	if best, ok := experiment.Best(s.Trials, &e.Spec); ok {
		s.Best = &best
	}
	return s
}

func finishedTrial(number, finishNo uint64, state experiment.TrialState, loss, opt string) experiment.Trial {
	t := experiment.Trial{
		Number: number, Name: fmt.Sprintf("digits-%d", number), Attempt: 1, State: state, FinishNo: finishNo,
		Started: start, Finished: start.Add(4 * time.Second),
		Assignment: []experiment.Pair{{Name: "lr", Value: "0.1"}, {Name: "opt", Value: opt}},
	}
	if loss == "" {
		t.Reason, t.Message = "ExitCode", "exit code 3\nlast line: no data"
		return t
	}
	t.Observation.Metrics = []experiment.Metric{{Name: "loss", Min: loss, Max: loss, Latest: loss}}
	return t
}

func TestNewProgress(t *testing.T) {
	p := newProgress(fixture(), start, start.Add(12*time.Second))
	got := fmt.Sprintf("%d/%d %d %d %v %v %v %v %s", p.Done, p.Budget, p.Running, p.Failed, p.Values, p.BestValue, p.ETA, p.ETAKnown, p.Best.Name)
	// 5 trials remain at 4 s, one of them 2 s old, 2 at a time.
	if want := "3/8 1 1 [0.5 0.3 NaN] 0.3 9s true digits-1"; got != want {
		t.Errorf("progress = %s, want %s", got, want)
	}
}

func TestNewProgressWithoutTrials(t *testing.T) {
	s := fixture()
	s.Trials, s.Best = nil, nil
	p := newProgress(s, start, start)
	if p.Done != 0 || p.ETAKnown || !math.IsNaN(p.BestValue) {
		t.Errorf("progress = %+v, want nothing done, no ETA, no best value", p)
	}
	for _, draw := range []string{progressLine(&p), draw(&p, 0, 40, 30)} {
		if strings.Contains(draw, "NaN") {
			t.Errorf("shows NaN where there is no value: %q", draw)
		}
	}
}

func TestPlain(t *testing.T) {
	var b strings.Builder
	v := &plain{out: &b}
	s := fixture()
	all := s.Trials
	s.Trials = all[:1]
	v.begin(newProgress(s, start, start))
	s.Trials = all
	v.change(newProgress(s, start, start.Add(12*time.Second)))
	v.change(newProgress(s, start, start.Add(13*time.Second)))
	v.end()
	want := `digits goes on: 1 done before
[ 0ms] 1/8 done, 0 running, 0 failed | best loss=0.3 (digits-1) | ETA 14s
[ 12s] digits-1 Succeeded loss=0.3 in 4s --lr=0.1 --opt=adam
[ 12s] digits-3 Failed (exit code 3) in 4s --lr=0.1 --opt=adam
[ 12s] 3/8 done, 1 running, 1 failed | best loss=0.3 (digits-1) | ETA 9s
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("plain view (-want +got):\n%s", diff)
	}
}

func TestLines(t *testing.T) {
	var b strings.Builder
	v := &lines{out: &b}
	s := fixture()
	all := s.Trials
	s.Trials, s.Best = nil, nil
	v.begin(newProgress(s, start, start))
	s.Trials = all[2:3]
	v.change(newProgress(s, start, start.Add(1500*time.Millisecond)))
	v.change(newProgress(s, start, start.Add(2*time.Second)))
	want := `{"event":"progress","experiment":"default/digits","state":"Created","budget":8,"done":0,"running":0,"failed":0,"bestTrial":"","bestValue":null,"elapsedSeconds":0,"etaSeconds":null}
{"event":"trial","experiment":"default/digits","trial":"digits-3","number":3,"attempt":1,"state":"Failed","reason":"ExitCode","message":"exit code 3\nlast line: no data","value":null,"metrics":{"accuracy":null,"loss":null},"parameters":{"lr":"0.1","opt":"adam"},"seconds":4}
{"event":"progress","experiment":"default/digits","state":"Created","budget":8,"done":1,"running":0,"failed":1,"bestTrial":"","bestValue":null,"elapsedSeconds":1.5,"etaSeconds":14}
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("json view (-want +got):\n%s", diff)
	}
}

func TestClock(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{-time.Second, "0ms"},
		{850 * time.Millisecond, "850ms"},
		{12 * time.Second, "12s"},
		{3*time.Minute + 5*time.Second, "3m05s"},
		{2*time.Hour + 7*time.Minute, "2h07m"},
		{99 * time.Hour, "4d03h"},
	}
	for _, tt := range tests {
		if got := clock(tt.d); got != tt.want {
			t.Errorf("clock(%v) = %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestFlagsAreQuotedForAShell(t *testing.T) {
	got := flags([]experiment.Pair{{Name: "a", Value: "1e-3"}, {Name: "b", Value: "it's $x"}, {Name: "c", Value: ""}})
	if want := `--a=1e-3 '--b=it'\''s $x' --c=`; got != want {
		t.Errorf("flags = %s, want %s", got, want)
	}
}

func TestResultExitCode(t *testing.T) {
	tests := []struct {
		name  string
		state experiment.ConditionType
		best  float64
		goal  float64 // NaN for none
		want  int
	}{
		{"goal reached", experiment.Succeeded, 0.04, 0.05, exitOK},
		{"goal met exactly", experiment.Succeeded, 0.05, 0.05, exitOK},
		{"goal missed", experiment.Succeeded, 0.06, 0.05, exitGoalMissed},
		{"no goal", experiment.Succeeded, 0.06, math.NaN(), exitOK},
		{"no result", experiment.Succeeded, math.NaN(), math.NaN(), exitFailed},
		{"failed", experiment.Failed, 0.01, 0.05, exitFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := fixture().Experiment
			e.Spec.Objective.Goal = nil
			if !math.IsNaN(tt.goal) {
				e.Spec.Objective.Goal = &tt.goal
			}
			e.Status.Conditions = append(e.Status.Conditions, experiment.Condition{Type: tt.state, Status: "True"})
			trial := finishedTrial(1, 1, experiment.TrialSucceeded, exact(tt.best), "adam")
			r := newResult(e, []experiment.Trial{trial}, "", start)
			if r.ExitCode != tt.want {
				t.Errorf("exit code = %d, want %d (%s)", r.ExitCode, tt.want, r.headline())
			}
		})
	}
}

func TestGroupFailures(t *testing.T) {
	trials := []experiment.Trial{
		{Name: "x-1", State: experiment.TrialFailed, Reason: "ExitCode", Message: "x-1 ended with exit code 3 after 12 s"},
		{Name: "x-2", State: experiment.TrialFailed, Reason: "ExitCode", Message: "x-2 ended with exit code 3 after 7 s"},
		{Name: "x-3", State: experiment.TrialMetricsUnavailable, Reason: "MetricsUnavailable", Message: "loss never appeared"},
		{Name: "x-4", State: experiment.TrialSucceeded},
		{Name: "x-5", State: experiment.TrialSucceeded, Reason: tuner.ReasonDiverged, Message: "loss is -Inf"},
	}
	var got []string
	for _, g := range groupFailures(trials, "") {
		got = append(got, failureTitle(g)+": "+strings.Join(g.Trials, " "))
	}
	want := []string{"2 trials failed: x-1 x-2", "1 trial without metrics: x-3", "1 trial without a finite value: x-5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

func TestPlainSaysThatAStepIsPutOffOnce(t *testing.T) {
	var b strings.Builder
	v := &plain{out: &b}
	s := fixture()
	s.Trials, s.Best = nil, nil
	for _, trouble := range []string{"", "no space\nleft", "no space", ""} {
		s.Trouble = trouble
		v.change(newProgress(s, start, start))
	}
	want := `[ 0ms] 0/8 done, 0 running, 0 failed
[ 0ms] waits and tries again: no space
[ 0ms] goes on
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("plain view (-want +got):\n%s", diff)
	}
}

func TestControlCharactersAreWritten(t *testing.T) {
	p := newProgress(fixture(), start, start)
	p.Finished[0].Assignment[1].Value = "a\x1b[31m\nb\u009b"
	line := trialLine(&p, 0)
	if want := `'--opt=a\x1b[31m\nb\u009b'`; !strings.HasSuffix(line, want) {
		t.Errorf("line = %q, want its end %q", line, want)
	}
	rows := table{header: []string{"x"}, rows: [][]string{{"a\x1b\nb"}}}
	var text, separated strings.Builder
	if err := rows.print(&text, "table"); err != nil {
		t.Fatal(err)
	}
	if err := rows.print(&separated, "csv"); err != nil {
		t.Fatal(err)
	}
	if got, want := text.String()+separated.String(), "X\na\\x1b\\nb\nx\n\"a\\x1b\nb\"\n"; got != want {
		t.Errorf("table and csv = %q, want %q", got, want)
	}
}

func TestDrainLine(t *testing.T) {
	for _, tt := range []struct {
		state   experiment.ConditionType
		running int
		want    string
	}{
		{experiment.Running, 3, ""},
		{experiment.Succeeded, 0, ""},
		{experiment.Succeeded, 3, "ended: waits for 3 trials still running, which Ctrl-C stops"},
		{experiment.Failed, 2, "failed: stops 2 trials still running"},
	} {
		if got := drainLine(&progress{State: tt.state, Running: tt.running}); got != tt.want {
			t.Errorf("%s with %d running: got %q, want %q", tt.state, tt.running, got, tt.want)
		}
	}
}
