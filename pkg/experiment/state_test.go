package experiment

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// katibTrial is a Trial object of Katib, as far as a status depends on it.
type katibTrial struct {
	Metadata Metadata `json:"metadata"`
	Spec     struct {
		ParameterAssignments []Pair `json:"parameterAssignments"`
	} `json:"spec"`
	Status struct {
		Conditions []struct {
			Type   string `json:"type"`
			Status string `json:"status"`
		} `json:"conditions"`
		Observation Observation `json:"observation"`
	} `json:"status"`
}

// trial takes the state from the conditions, a later one before an earlier one.
func (k katibTrial) trial(number int) Trial {
	t := Trial{
		Number: uint64(number), Name: k.Metadata.Name, State: TrialPending,
		Assignment: k.Spec.ParameterAssignments, Observation: k.Status.Observation,
	}
	for _, c := range k.Status.Conditions {
		if c.Status == "True" && c.Type != "Created" {
			t.State = TrialState(c.Type)
		}
	}
	return t
}

func TestNextStatusAsKatib(t *testing.T) {
	type vector struct {
		Case   int          `json:"case"`
		Spec   Spec         `json:"spec"`
		Status Status       `json:"status"`
		Trials []katibTrial `json:"trials"`
	}
	for _, v := range readVectors[vector](t, "experiment-status.json") {
		t.Run(fmt.Sprint(v.Case), func(t *testing.T) {
			trials := make([]Trial, len(v.Trials))
			for i, k := range v.Trials {
				trials[i] = k.trial(i + 1)
			}
			got := withoutTimes(NextStatus(&Experiment{Spec: v.Spec}, trials, false, epoch))
			want := withoutTimes(v.Status)
			if want.CurrentOptimalTrial != nil && want.CurrentOptimalTrial.BestTrialName == "" {
				want.CurrentOptimalTrial = nil // Katib writes an empty one
			}
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("status differs (-got +want):\n%s", diff)
			}
		})
	}
}

// withoutTimes clears what the vectors have normalised.
func withoutTimes(s Status) Status {
	s.StartTime, s.CompletionTime = nil, nil
	s.Conditions = slices.Clone(s.Conditions)
	for i := range s.Conditions {
		s.Conditions[i].LastUpdateTime, s.Conditions[i].LastTransitionTime = time.Time{}, time.Time{}
	}
	return s
}

// history writes a status' conditions on one line.
func history(s Status) string {
	var words []string
	for _, c := range s.Conditions {
		words = append(words, fmt.Sprintf("%s=%s(%s)", c.Type, c.Status, strings.TrimPrefix(c.Reason, "Experiment")))
	}
	return strings.Join(words, " ")
}

func limit(n int32) *int32 { return &n }

func experimentOf(spec Spec) *Experiment {
	if spec.Objective == nil {
		spec.Objective = &Objective{Type: "minimize", ObjectiveMetricName: "m"}
	}
	return &Experiment{Spec: spec, Status: NewStatus(epoch)}
}

func TestConditions(t *testing.T) {
	goal := 0.1
	withGoal := &Objective{Type: "minimize", ObjectiveMetricName: "m", Goal: &goal}
	const created = "Created=True(Created)"
	tests := []struct {
		name      string
		spec      Spec
		trials    []Trial
		exhausted bool
		want      string
	}{
		{"no trial yet", Spec{}, nil, false, created},
		{"no trial ever", Spec{}, nil, true, created + " Succeeded=True(SuggestionEndReached)"},
		{"running", Spec{MaxTrialCount: limit(1)}, []Trial{trialOf(1, TrialRunning)}, false, created + " Running=True(Running)"},
		{"goal", Spec{Objective: withGoal}, []Trial{trialOf(1, TrialSucceeded, "0.1")}, false, created + " Succeeded=True(GoalReached)"},
		{
			"goal of an early stopped trial",
			Spec{Objective: withGoal},
			[]Trial{trialOf(1, TrialEarlyStopped, "0.1")},
			false,
			created + " Succeeded=True(GoalReached)",
		},
		{"NaN is no goal", Spec{Objective: withGoal}, []Trial{trialOf(1, TrialSucceeded, "nan")}, false, created + " Running=True(Running)"},
		{
			"goal before failures",
			Spec{Objective: withGoal, MaxFailedTrialCount: limit(1), MaxTrialCount: limit(2)},
			[]Trial{trialOf(1, TrialFailed), trialOf(2, TrialSucceeded, "0")},
			false, created + " Succeeded=True(GoalReached)",
		},
		{
			"failures before max",
			Spec{MaxFailedTrialCount: limit(2), MaxTrialCount: limit(2)},
			[]Trial{trialOf(1, TrialFailed), trialOf(2, TrialMetricsUnavailable)},
			false, created + " Failed=True(Failed)",
		},
		{
			"no failure allowed, none happened",
			Spec{MaxFailedTrialCount: limit(0)},
			[]Trial{trialOf(1, TrialSucceeded, "1")},
			false,
			created + " Running=True(Running)",
		},
		{
			"no failure allowed, one happened",
			Spec{MaxFailedTrialCount: limit(0)},
			[]Trial{trialOf(1, TrialFailed)},
			false,
			created + " Failed=True(Failed)",
		},
		{"failures without limit", Spec{}, []Trial{trialOf(1, TrialFailed)}, false, created + " Running=True(Running)"},
		{
			"max",
			Spec{MaxTrialCount: limit(2)},
			[]Trial{trialOf(1, TrialKilled), trialOf(2, TrialEarlyStopped), trialOf(3, TrialRunning)},
			true,
			created + " Succeeded=True(MaxTrialsReached)",
		},
		{"exhausted, one runs", Spec{}, []Trial{trialOf(1, TrialSucceeded, "1"), trialOf(2, TrialRunning)}, true, created + " Running=True(Running)"},
		{"exhausted, one waits", Spec{}, []Trial{trialOf(1, TrialSucceeded, "1"), trialOf(2, TrialPending)}, true, created + " Running=True(Running)"},
		{"exhausted", Spec{}, []Trial{trialOf(1, TrialSucceeded, "1")}, true, created + " Succeeded=True(SuggestionEndReached)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := NextStatus(experimentOf(tt.spec), tt.trials, tt.exhausted, epoch)
			if history(got) != tt.want {
				t.Errorf("got %s, want %s", history(got), tt.want)
			}
			if done := got.CompletionTime != nil; done != got.Completed() {
				t.Errorf("completion time set: %v, want %v", done, got.Completed())
			}
		})
	}
}

func TestLifeWithRestart(t *testing.T) {
	e := experimentOf(Spec{MaxTrialCount: limit(1), ResumePolicy: LongRunning})
	step := func(want string, trials ...Trial) {
		t.Helper()
		e.Status = NextStatus(e, trials, false, epoch.Add(time.Duration(len(trials))*time.Hour))
		if got := history(e.Status); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	done := trialOf(1, TrialSucceeded, "1")
	step("Created=True(Created) Running=True(Running)", trialOf(1, TrialRunning))
	step("Created=True(Created) Running=False(Running) Succeeded=True(MaxTrialsReached)", done)

	if _, err := Restart(e, epoch); err == nil || !strings.Contains(err.Error(), "must be greater than status.trials count") {
		t.Errorf("restart without more trials: got error %v, want one about status.trials", err)
	}
	e.Spec.MaxTrialCount = limit(2)
	restarted, err := Restart(e, epoch.Add(9*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if e.Status.CompletionTime == nil || !e.Status.Succeeded() {
		t.Error("restart changed the status it was given")
	}
	e.Status = restarted
	if e.Status.Completed() || e.Status.CompletionTime != nil || e.Status.State() != Restarting || e.Status.Reason() != "ExperimentRestarting" {
		t.Fatalf("got %s, completed at %v, want it to be restarting", history(e.Status), e.Status.CompletionTime)
	}
	step("Created=True(Created) Restarting=True(Restarting) Running=True(Running)", done, trialOf(2, TrialRunning))
	step("Created=True(Created) Restarting=True(Restarting) Running=False(Running) Succeeded=True(MaxTrialsReached)",
		done, trialOf(2, TrialFailed))
	e.Spec.MaxTrialCount = limit(3)
	if e.Status, err = Restart(e, epoch.Add(19*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if e.Status.State() != Restarting { // a second time as well as the first one
		t.Errorf("got %s, want it to be restarting", history(e.Status))
	}
}

func TestRestartRefused(t *testing.T) {
	const want = "Experiment can be restarted if it is in succeeded state by reaching max trials and spec.resumePolicy = LongRunning"
	running := NextStatus(experimentOf(Spec{}), []Trial{trialOf(1, TrialRunning)}, false, epoch)
	succeeded := func(reason string) Status {
		s := NewStatus(epoch)
		s.complete(Succeeded, reason, "", epoch)
		return s
	}
	tests := []struct {
		name   string
		policy ResumePolicy
		status Status
	}{
		{"never", Never, succeeded(reasonMaxTrials)},
		{"default policy", "", succeeded(reasonMaxTrials)},
		{"goal reached", LongRunning, succeeded(reasonGoalReached)},
		{"exhausted", FromVolume, succeeded(reasonSuggestionEnd)},
		{"failed", LongRunning, MarkFailed(NewStatus(epoch), reasonMaxTrials, "", epoch)},
		{"running", LongRunning, running},
		{"no condition", LongRunning, Status{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &Experiment{Spec: Spec{ResumePolicy: tt.policy, MaxTrialCount: limit(100)}, Status: tt.status}
			if _, err := Restart(e, epoch); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got error %v, want %q", err, want)
			}
		})
	}
}

func TestMarkFailed(t *testing.T) {
	running := NextStatus(experimentOf(Spec{}), []Trial{trialOf(1, TrialRunning)}, false, epoch)
	before := history(running)
	got := MarkFailed(running, "SuggestionFailed", "the plugin exited; see its log", epoch.Add(time.Hour))
	want := "Created=True(Created) Running=False(Running) Failed=True(SuggestionFailed)"
	if history(got) != want || got.Reason() != "SuggestionFailed" || !got.Completed() || got.Succeeded() || got.CompletionTime == nil {
		t.Errorf("got %s, want %s", history(got), want)
	}
	if history(running) != before {
		t.Errorf("the status given became %s, want it untouched: %s", history(running), before)
	}
	if again := MarkFailed(got, "Other", "", epoch.Add(2*time.Hour)); cmp.Diff(again, got) != "" {
		t.Errorf("a second failure: got %s, want %s", history(again), history(got))
	}
}

func TestLastTransitionTimeIsKeptWhileTheStatusIs(t *testing.T) {
	s := NewStatus(epoch)
	s.set(Running, "True", "A", "", epoch)
	s.set(Running, "True", "B", "", epoch.Add(time.Minute))
	c := s.last()
	if !c.LastTransitionTime.Equal(epoch) || !c.LastUpdateTime.Equal(epoch.Add(time.Minute)) {
		t.Errorf("got transition %v and update %v", c.LastTransitionTime, c.LastUpdateTime)
	}
}

// legal lists the states that may follow each state.
var legal = map[ConditionType][]ConditionType{
	Created:    {Created, Running, Succeeded, Failed},
	Running:    {Running, Succeeded, Failed},
	Restarting: {Restarting, Running, Succeeded, Failed},
	Succeeded:  {Succeeded},
	Failed:     {Failed},
}

// After any changes of trials, and budgets raised now and then, a status only goes legal ways, its
// numbers are those of the trials, and a second look at the same trials changes nothing.
func TestStatusProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		goal := -0.5
		e := experimentOf(Spec{
			Objective: &Objective{
				Type: rapid.SampledFrom([]string{"minimize", "maximize"}).Draw(t, "type"), ObjectiveMetricName: "m",
				Goal: rapid.SampledFrom([]*float64{nil, &goal}).Draw(t, "goal"),
			},
			MaxTrialCount:       rapid.Ptr(rapid.Int32Range(1, 8), true).Draw(t, "max"),
			MaxFailedTrialCount: rapid.Ptr(rapid.Int32Range(0, 4), true).Draw(t, "maxFailed"),
			ResumePolicy:        rapid.SampledFrom([]ResumePolicy{Never, LongRunning, FromVolume}).Draw(t, "policy"),
		})
		for i := range rapid.IntRange(1, 8).Draw(t, "steps") {
			now := epoch.Add(time.Duration(i) * time.Minute)
			if rapid.IntRange(0, 3).Draw(t, "restart") == 0 && e.Spec.MaxTrialCount != nil {
				*e.Spec.MaxTrialCount += 5
				if s, err := Restart(e, now); err == nil {
					e.Status = s
				}
			}
			trials, exhausted := drawTrials(t, 10), rapid.Bool().Draw(t, "exhausted")
			checkStep(t, e, trials, exhausted, now)
		}
	})
}

// checkStep advances the experiment's status and checks what must hold of the step.
func checkStep(t *rapid.T, e *Experiment, trials []Trial, exhausted bool, now time.Time) {
	before := asJSON(t, e.Status)
	was := e.Status.State()
	next := NextStatus(e, trials, exhausted, now)
	if after := asJSON(t, e.Status); after != before {
		t.Fatalf("the status given was changed from %s to %s", before, after)
	}
	if !slices.Contains(legal[was], next.State()) {
		t.Fatalf("went from %s to %s", was, next.State())
	}
	lists := [][]string{
		next.PendingTrialList, next.RunningTrialList, next.SucceededTrialList, next.KilledTrialList,
		next.FailedTrialList, next.EarlyStoppedTrialList, next.MetricsUnavailableTrialList,
	}
	counts := []int32{
		next.TrialsPending, next.TrialsRunning, next.TrialsSucceeded, next.TrialsKilled,
		next.TrialsFailed, next.TrialsEarlyStopped, next.TrialMetricsUnavailable,
	}
	sum := int32(0)
	for i, state := range []TrialState{TrialPending, TrialRunning, TrialSucceeded, TrialKilled, TrialFailed, TrialEarlyStopped, TrialMetricsUnavailable} {
		var want []string
		for _, trial := range trials {
			if trial.State == state {
				want = append(want, trial.Name)
			}
		}
		if !slices.Equal(lists[i], want) || int(counts[i]) != len(want) {
			t.Fatalf("%s: got %d, %v, want %v", state, counts[i], lists[i], want)
		}
		sum += counts[i]
	}
	if sum != next.Trials || int(sum) != len(trials) {
		t.Fatalf("states sum up to %d, status says %d, want %d", sum, next.Trials, len(trials))
	}
	best, found := Best(trials, &e.Spec)
	if o := next.CurrentOptimalTrial; found != (o != nil) || found && o.BestTrialName != best.Name {
		t.Fatalf("optimal trial: got %+v, want %s", o, best.Name)
	}
	e.Status = next
	again := NextStatus(e, trials, exhausted, now.Add(time.Second))
	if got, want := asJSON(t, again), asJSON(t, next); got != want {
		t.Fatalf("second look: got %s, want %s", got, want)
	}
}

func asJSON(t rapid.TB, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// BenchmarkTally measures the end of one more trial after 100,000.
func BenchmarkTally(b *testing.B) {
	trials := make([]Trial, 100_000)
	for i := range trials {
		trials[i] = trialOf(uint64(i+1), TrialSucceeded, fmt.Sprint(float64(i%977)/7))
	}
	e := experimentOf(Spec{MaxTrialCount: limit(200_000)})
	tally := NewTally(&e.Spec, trials)
	b.ReportAllocs()
	for b.Loop() {
		tally.Update(&e.Spec, TrialRunning, &trials[7])
		e.Status = tally.Next(e, false, epoch)
	}
}

// TestTallyKeepsUp changes trials one by one: the tally kept along says what one made anew says.
func TestTallyKeepsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := twoGoals()
		text := rapid.SampledFrom([]string{"1", "2", "3", "4", "nan", "x"})
		values := func() map[string]string {
			return map[string]string{"a": text.Draw(t, "a"), "b": text.Draw(t, "b"), "c": text.Draw(t, "c")}
		}
		var trials []Trial
		var kept Tally
		for range rapid.IntRange(1, 30).Draw(t, "changes") {
			if len(trials) == 0 || rapid.Bool().Draw(t, "new") {
				added := goalTrial(uint64(len(trials)+1), TrialPending, nil)
				trials = append(trials, added)
				kept.Add(spec, &added)
				continue
			}
			i := rapid.IntRange(0, len(trials)-1).Draw(t, "which")
			if trials[i].State.Final() {
				continue
			}
			before := trials[i].State
			ended := goalTrial(trials[i].Number, rapid.SampledFrom(states[:]).Draw(t, "state"), values())
			trials[i] = ended
			kept.Update(spec, before, &ended)
		}
		fresh := NewTally(spec, trials)
		if got, want := fmt.Sprint(kept.counts, kept.trials, kept.infeasible), fmt.Sprint(fresh.counts, fresh.trials, fresh.infeasible); got != want {
			t.Fatalf("counts: got %s, want %s", got, want)
		}
		if got, want := kept.Front(), fresh.Front(); !slices.Equal(got, want) {
			t.Fatalf("front: got %v, want %v", got, want)
		}
		got, gotOK := kept.Best()
		want, wantOK := fresh.Best()
		if gotOK != wantOK || got.Number != want.Number || gotOK && got.Number != kept.Front()[0] {
			t.Fatalf("best: got %v %v, want %v %v", got.Number, gotOK, want.Number, wantOK)
		}
	})
}
