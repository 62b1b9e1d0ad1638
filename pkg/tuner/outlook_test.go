package tuner

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

// bowl is an experiment of clients that a termination may end.
func bowl(termination *experiment.Termination) *experiment.Experiment {
	e := clientsOwn("bowl", 1, 40)
	e.Spec.Algorithm = &experiment.Algorithm{AlgorithmName: "auto"}
	e.Spec.Tuned = &experiment.Extension{Termination: termination}
	return e
}

// evaluate asks and tells until there is nothing more to ask for, at most so many times.
func (r *rig) evaluate(key experiment.Key, most int) {
	r.t.Helper()
	for range most {
		asked, done, err := r.Ask(r.t.Context(), key, 1, "")
		r.must(err)
		if done {
			return
		}
		for _, trial := range asked {
			x, err := strconv.ParseFloat(trial.Assignment[0].Value, 64)
			r.must(err)
			r.tell(key, trial.Name, fmt.Sprint((x-0.3)*(x-0.3)))
		}
	}
}

// reasons are those of an experiment's own events, in their order.
func (r *rig) reasons(key experiment.Key) (out []string) {
	r.t.Helper()
	events, err := r.Events(r.t.Context(), key, 0)
	r.must(err)
	for _, e := range events {
		if e.Trial == "" {
			out = append(out, e.Reason)
		}
	}
	return out
}

// TestTermination: an experiment ends once its model expects too little, after as many trials however often the daemon is
// restarted, and goes on when it is resumed.
func TestTermination(t *testing.T) {
	termination := &experiment.Termination{MinImprovement: new(0.05), MinTrials: new(int32(8)), Horizon: new(int32(5))}
	r := newRig(t, builtin.Registry())
	key := r.create(bowl(termination))
	r.evaluate(key, 100)
	whole := r.load(key)
	n := len(whole.Trials)
	if whole.Experiment.Status.Reason() != experiment.ReasonConverged || !whole.Experiment.Status.Succeeded() || n < 8 || n > 30 {
		t.Fatalf("after %d trials: %s", n, whole.Experiment.Status.Reason())
	}
	if got, want := r.reasons(key), []string{"AlgorithmChosen", "ExperimentRunning", experiment.ReasonConverged}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	if got := whole.Trials[n-1].Algorithm; got != "gp" {
		t.Errorf("the last trial is suggested by %q, want gp", got)
	}

	r, key, restarts, end := restarted(t, termination)
	defer end()
	if got := len(r.load(key).Trials); got != n {
		t.Errorf("with %d restarts it ends after %d trials, without after %d", restarts, got, n)
	}

	r.must(r.Resume(t.Context(), key))
	r.evaluate(key, 100)
	if s := r.load(key); len(s.Trials) != 40 || s.Experiment.Status.Reason() != "ExperimentMaxTrialsReached" {
		t.Errorf("resumed it ends after %d trials: %s", len(s.Trials), s.Experiment.Status.Reason())
	}
}

// restarted runs such an experiment to its end, with a restart of the daemon after every three trials.
func restarted(t *testing.T, termination *experiment.Termination) (r *rig, key experiment.Key, restarts int, end func()) {
	t.Helper()
	s := storetest.NewMemory()
	for ; restarts < 40; restarts++ {
		next, stop, ended := startRig(t, s, builtin.Registry())
		if r = next; restarts == 0 {
			key = r.create(bowl(termination))
		}
		r.evaluate(key, 3)
		end = func() { stop(); next.must(<-ended) }
		if r.load(key).Experiment.Status.Completed() {
			return r, key, restarts, end
		}
		end()
	}
	t.Fatal("it does not end")
	return nil, key, restarts, nil
}

// TestOutlook says what remains in the units of the metric, and nothing where an algorithm cannot tell.
func TestOutlook(t *testing.T) {
	r := newRig(t, builtin.Registry())
	key := r.create(bowl(nil))
	r.evaluate(key, 100)
	s := r.load(key)
	for _, tt := range []struct {
		algorithm string
		trials    int
		ok        bool
	}{{"auto", 40, true}, {"gp", 25, true}, {"bayesianoptimization", 25, true}, {"random", 40, false}, {"auto", 10, false}} {
		s.Experiment.Spec.Algorithm = &experiment.Algorithm{AlgorithmName: tt.algorithm}
		got, err := NewOutlook(s.Experiment, s.Trials[:tt.trials], builtin.Registry())
		if (err == nil) != tt.ok {
			t.Errorf("%s after %d trials: %v", tt.algorithm, tt.trials, err)
		}
		if tt.ok && (got.Trials != 10 || got.Metric != "loss" || !(got.Improvement >= 0 && got.Improvement < 0.01) || !(got.Share < 0.1)) {
			t.Errorf("%s after %d trials: %+v", tt.algorithm, tt.trials, got)
		}
	}
}
