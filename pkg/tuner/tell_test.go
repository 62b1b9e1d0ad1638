package tuner

import (
	"errors"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// TestTellAgain: the same result again is harmless, and everything else is another result.
func TestTellAgain(t *testing.T) {
	value := func(step int64, text string) experiment.Measurement {
		return experiment.Measurement{Seq: 1, Step: step, Metric: "loss", Text: text, Value: experiment.ParseValue(text)}
	}
	second := value(2, "0.5")
	second.Seq = 2
	reported := []experiment.Measurement{value(1, "0.9")}
	results := map[string]Result{
		"nothing":      {},
		"a value":      {Measurements: []experiment.Measurement{value(0, "0.5")}},
		"with a step":  {Measurements: []experiment.Measurement{value(2, "0.5")}},
		"the reported": {Measurements: reported},
		"another":      {Measurements: []experiment.Measurement{value(0, "0.6")}},
		"a curve":      {Measurements: []experiment.Measurement{value(1, "0.9"), second}},
		"a failure":    {Failed: true, Message: "x"},
		"another one":  {Failed: true, Message: "y"},
	}
	for first, told := range results {
		r := newRig(t, builtin.Registry())
		key := r.create(clientsOwn("e", 1, 9))
		trial := r.ask1(key).Name
		if _, _, err := r.ReportTrial(t.Context(), key, trial, reported); err != nil {
			t.Fatal(err)
		}
		told.Trial = trial
		if _, err := r.Tell(t.Context(), key, told); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		for second, again := range results {
			again.Trial = trial
			_, err := r.Tell(t.Context(), key, again)
			if first == second && err != nil || first != second && !errors.Is(err, ErrConflict) {
				t.Errorf("%s, then %s: got %v", first, second, err)
			}
		}
	}
}

// TestTellWithGaps: measurements that are told are those from the first on.
func TestTellWithGaps(t *testing.T) {
	tests := []struct {
		name string
		seqs []uint64
		want error
	}{
		{"from the first on", []uint64{1, 2}, nil},
		{"without numbers", []uint64{0, 0}, nil},
		{"the first is missing", []uint64{2, 3}, ErrInvalid},
		{"a gap", []uint64{1, 3}, ErrInvalid},
		{"back", []uint64{1, 1}, ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, builtin.Registry())
			key := r.create(clientsOwn("e", 1, 9))
			result := Result{Trial: r.ask1(key).Name}
			for i, seq := range tt.seqs {
				result.Measurements = append(result.Measurements, experiment.Measurement{Seq: seq, Step: int64(i), Metric: "loss", Text: "1", Value: 1})
			}
			if _, err := r.Tell(t.Context(), key, result); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestTellAPointAgain: the same for a point that nobody asked for.
func TestTellAPointAgain(t *testing.T) {
	r := newRig(t, builtin.Registry())
	key := r.create(clientsOwn("e", 1, 9))
	for _, tt := range []struct {
		name string
		told []experiment.Measurement
		want error
	}{
		{"first", loss("0.5"), nil},
		{"the same", loss("0.5"), nil},
		{"another value", loss("0.6"), ErrConflict},
		{"no value", nil, ErrConflict},
	} {
		_, err := r.Tell(t.Context(), key, Result{Assignments: at("0.25"), Request: "a", Measurements: tt.told})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestStopTrialWhileItThinks: who stops a trial need not wait for the algorithm.
func TestStopTrialWhileItThinks(t *testing.T) {
	r, p := slowAndFast(t)
	slow := r.create(clientsOwn("slow", 2, 9))
	p.let <- struct{}{}
	first := r.ask1(slow)
	<-p.asked
	answered := make(chan error, 1)
	go func() {
		_, _, err := r.Ask(t.Context(), slow, 1, "second")
		answered <- err
	}()
	<-p.asked // it thinks from here on
	for range 2 {
		if got, err := r.StopTrial(t.Context(), slow, first.Name); err != nil || got.State != experiment.TrialKilled {
			t.Errorf("got %s, %v; want Killed", got.State, err)
		}
	}
	p.let <- struct{}{}
	if err := <-answered; err != nil {
		t.Errorf("ask: %v", err)
	}
}

// TestMessagesHoldNoSecrets: what a trial printed, and why one cannot start, repeats no secret of the experiment or
// of the daemon.
func TestMessagesHoldNoSecrets(t *testing.T) {
	r := newRig(t, builtin.Registry())
	r.Secrets = []string{"of the daemon"}
	e := clientsOwn("e", 1, 9)
	e.Local.Images = map[string][]string{"i": {"x", "--password", "hunter2"}}
	key := r.create(e)
	told := Result{Trial: r.ask1(key).Name, Failed: true, Message: "KeyError: hunter2, of the daemon, and more"}
	for range 2 {
		got, err := r.Tell(t.Context(), key, told)
		if err != nil || got.Message != "KeyError: (masked), (masked), and more" {
			t.Errorf("got %q, %v", got.Message, err)
		}
	}
	events, err := r.Events(t.Context(), key, 0)
	r.must(err)
	for _, e := range events {
		if strings.Contains(e.Message, "hunter2") {
			t.Errorf("event: %q", e.Message)
		}
	}
}

// TestToldInWords: what a result lacks, and what a trial has, is said by the values that there are.
func TestToldInWords(t *testing.T) {
	value := func(metric string) Result {
		return Result{Measurements: []experiment.Measurement{{Metric: metric, Text: "0.5", Value: 0.5}}}
	}
	for name, tt := range map[string]struct {
		told []Result // the last one is refused
		want string
	}{
		"another case":          {[]Result{value("Loss")}, `no value of "loss" given; "Loss" was`},
		"another name":          {[]Result{value("lost")}, `no value of "loss" given: `},
		"a value after a value": {[]Result{value("loss"), {Failed: true}}, "(Succeeded, loss=0.5)"},
		"a value after failing": {[]Result{{Failed: true, Message: "no memory"}, value("loss")}, "(Failed, no memory)"},
		"failed without words":  {[]Result{{Failed: true}, value("loss")}, "(Failed, ToldFailed)"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, builtin.Registry())
			key := r.create(clientsOwn("e", 1, 9))
			trial := r.ask1(key).Name
			var err error
			for i, told := range tt.told {
				told.Trial = trial
				if _, err = r.Tell(t.Context(), key, told); err != nil && i < len(tt.told)-1 {
					t.Fatal(err)
				}
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// TestToldBeside: metrics that the experiment does not name are kept as measurements.
func TestToldBeside(t *testing.T) {
	r := newRig(t, builtin.Registry())
	key := r.create(clientsOwn("e", 1, 9))
	told := Result{Trial: r.ask1(key).Name, Measurements: []experiment.Measurement{
		{Metric: "epoch_time", Text: "3", Value: 3}, {Metric: "loss", Text: "0.5", Value: 0.5},
	}}
	if _, err := r.Tell(t.Context(), key, told); err != nil {
		t.Fatal(err)
	}
	ms, _, err := r.Measurements(t.Context(), key, told.Trial, Mark{}, 9)
	if err != nil || len(ms) != 2 || ms[0].Metric != "epoch_time" || ms[0].Value != 3 {
		t.Errorf("got %+v, %v; want both", ms, err)
	}
}
