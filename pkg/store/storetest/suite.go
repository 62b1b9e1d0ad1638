package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Open returns a new, empty store, and a function that closes it as it is at that moment and opens
// the same state again.
type Open func(t *testing.T) (s store.Store, reopen func() store.Store)

// Run checks an implementation of store.Store.
func Run(t *testing.T, open Open) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, r *rig)
	}{
		{"experiments", testExperiments},
		{"names", testNames},
		{"commit", testCommit},
		{"refused commits", testRefusedCommits},
		{"control and notes", testControl},
		{"measurements within a commit", testAppendedCommit},
		{"append", testAppend},
		{"refused appends", testRefusedAppends},
		{"values", testValues},
		{"copies", testCopies},
		{"large", testLarge},
		{"delete", testDelete},
		{"not found", testNotFound},
		{"cancelled", testCancelled},
		{"concurrent", testConcurrent},
		{"closed", testClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, open)
			defer r.close()
			test.run(t, r)
		})
	}
	t.Run("model", func(t *testing.T) { testModel(t, open) })
}

// rig is a store under test.
type rig struct {
	store.Store
	t        testing.TB
	doReopen func() store.Store
}

func newRig(t *testing.T, open Open) *rig {
	r := &rig{t: t}
	r.Store, r.doReopen = open(t)
	return r
}

func (r *rig) reopen() { r.Store = r.doReopen() }

func (r *rig) close() {
	r.t.Helper()
	if err := r.Close(); err != nil {
		r.t.Errorf("close: %v", err)
	}
}

var ctx = context.Background() //nolint:gochecknoglobals // of tests that are not about contexts

func newExperiment(key experiment.Key) *experiment.Experiment {
	parallel := int32(3)
	return &experiment.Experiment{
		APIVersion: "kubeflow.org/v1beta1", Kind: "Experiment",
		Metadata: experiment.Metadata{Namespace: key.Namespace, Name: key.Name, UID: "u1", Labels: map[string]string{"a": "b"}},
		Spec:     experiment.Spec{ParallelTrialCount: &parallel},
		Status:   experiment.NewStatus(time.Unix(1e9, 5).UTC()),
		Priors: []experiment.Prior{{Name: "earlier", Finished: 2, Trials: []experiment.PriorTrial{
			{Number: 1, Values: []*string{new("0.1"), nil}, Metrics: []string{"NaN"}},
		}}},
	}
}

func newTrial(n uint64, state experiment.TrialState) experiment.Trial {
	return experiment.Trial{
		Number: n, Name: fmt.Sprintf("t-%d", n), Attempt: 1, State: state, Memo: []byte{0, 255},
		Assignment: []experiment.Pair{{Name: "lr", Value: "0.1"}}, Created: time.Unix(int64(n), 1).UTC(),
	}
}

// measurements returns those with the sequence numbers from first to last.
func measurements(first, last uint64) []experiment.Measurement {
	var out []experiment.Measurement
	for seq := first; seq <= last; seq++ {
		out = append(out, experiment.Measurement{
			Seq: seq, Time: time.Unix(int64(seq), int64(seq)).UTC(), Step: int64(seq) - 2,
			Metric: fmt.Sprintf("m%d", seq%3), Value: float64(seq) / 8, Text: fmt.Sprint(float64(seq) / 8),
		})
	}
	return out
}

var (
	keyA    = experiment.Key{Namespace: "default", Name: "a"}                                         //nolint:gochecknoglobals // constant
	streamA = experiment.Stream{Experiment: keyA, Number: 1, Attempt: 1, Source: "agent"}             //nolint:gochecknoglobals // constant
	nobody  = experiment.Key{Namespace: "default", Name: "nobody"}                                    //nolint:gochecknoglobals // constant
	same    = cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateNaNs(), cmp.Comparer(time.Time.Equal)} //nolint:gochecknoglobals // constant
)

// must ends the test at an error.
func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// want reports a difference.
func want[T any](r *rig, what string, got, want T) {
	r.t.Helper()
	if diff := cmp.Diff(got, want, same); diff != "" {
		r.t.Errorf("%s: got (-), want (+):\n%s", what, diff)
	}
}

// wantErr reports an error of another kind.
func (r *rig) wantErr(what string, err, kind error) {
	r.t.Helper()
	if !errors.Is(err, kind) {
		r.t.Errorf("%s: got error %v, want %v", what, err, kind)
	}
}

// start creates experiment A with n running trials; it is at revision 2 then.
func (r *rig) start(n int) {
	r.t.Helper()
	r.must(r.Create(ctx, newExperiment(keyA)))
	c := store.Change{Revision: 1}
	for i := range n {
		c.Create = append(c.Create, newTrial(uint64(i)+1, experiment.TrialRunning))
	}
	revision, err := r.Commit(ctx, keyA, c)
	r.must(err)
	want(r, "revision", revision, uint64(2))
}
