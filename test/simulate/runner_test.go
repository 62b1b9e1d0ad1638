//go:build failpoint

package simulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// work is one workload: the command of one attempt, its agent and its folder.
type work struct {
	of       *trialled
	trial    string
	number   uint64
	attempt  int
	started  time.Time
	finished time.Time
	phase    trialrunner.Phase
	exit     trialrunner.Exit
	told     bool // to stop
	removed  bool

	measured []experiment.Measurement // what the command printed
	acked    uint64                   // the highest number that the daemon acknowledged
}

func (w *work) String() string {
	return fmt.Sprintf("%s trial %d attempt %d", w.of.key.Name, w.number, w.attempt)
}

// alive returns the workloads that run, in the order of their trials: those of one moment start in any.
func (x *trialled) alive() (out []*work) {
	for _, w := range x.works {
		if w.phase == trialrunner.Running {
			out = append(out, w)
		}
	}
	slices.SortStableFunc(out, func(a, b *work) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.attempt, b.attempt))
	})
	return out
}

func (x *trialled) work(trial string, attempt int) *work {
	for _, w := range x.works {
		if w.trial == trial && w.attempt == attempt {
			return w
		}
	}
	return nil
}

// number returns a trial's number, 0 when the runner does not know it yet. Names differ from run to run.
func (x *trialled) number(trial string) uint64 {
	for _, w := range x.works {
		if w.trial == trial {
			return w.number
		}
	}
	return 0
}

var errRunner = errors.New("the machine is not in the mood")

// handle is the runner as one life of the daemon has it.
type handle struct {
	life    *life
	changed chan experiment.Key
}

// moody is true so many times in a hundred; what is true is a fault. It follows from the turn and what is
// asked, not from how often it is asked: the daemon may look once or twice for the same reason.
func (h *handle) moody(x *trialled, percent uint64, asked ...any) bool {
	s := h.life.sim
	if s.calm || time.Since(s.turned) > moodLasts || s.draw(x, asked...)%100 >= percent {
		return false
	}
	s.moods.Add(1)
	return true
}

const moodLasts = 300 * time.Millisecond

// draw is a number that follows from the seed, the turn and what it is for.
func (s *sim) draw(x *trialled, what ...any) uint64 {
	sum := fnv.New64a()
	fmt.Fprint(sum, s.seed, s.turnNo, x.key, what)
	return rand.New(rand.NewPCG(sum.Sum64(), 0)).Uint64()
}

func (h *handle) find(key experiment.Key) *trialled {
	for _, x := range slices.Backward(h.life.sim.experiments) { // the last one of that name
		if x.key == key {
			return x
		}
	}
	panic("no experiment " + key.String())
}

func (h *handle) Start(ctx context.Context, spec trialrunner.Spec) error {
	x := h.find(spec.Experiment)
	switch {
	case h.life.dead.Load():
		return errDead
	case h.moody(x, 4, "start", x.number(spec.Trial)):
		return errRunner
	case h.moody(x, 3, "busy", x.number(spec.Trial)):
		time.AfterFunc(time.Minute, func() { h.wake(x) })
		return trialrunner.ErrBusy
	}
	if w := x.work(spec.Trial, spec.Attempt); w != nil {
		if w.removed {
			h.life.sim.violate("%s is started after it had ended and was removed", w)
		}
		return nil
	}
	h.begin(ctx, x, spec)
	if h.moody(x, 3, "answer", x.number(spec.Trial)) {
		return errRunner // the answer is lost
	}
	return nil
}

// begin starts a command, and looks whether that may be.
func (h *handle) begin(ctx context.Context, x *trialled, spec trialrunner.Spec) {
	s := h.life.sim
	w := &work{of: x, trial: spec.Trial, attempt: spec.Attempt, started: time.Now(), phase: trialrunner.Running}
	trials, err := h.life.store.Trials(ctx, x.key)
	t, known := experiment.FindTrial(trials, spec.Trial)
	w.number = t.Number
	switch {
	case err != nil || !known:
		s.violate("a trial of %s is started that is not stored (%v)", x.key, err)
	case t.State != experiment.TrialPending || t.Attempt != spec.Attempt:
		s.violate("%s is started, which is stored as %s at attempt %d", w, t.State, t.Attempt)
	}
	s.mayBegin(x, &t, trials)
	for _, other := range x.alive() {
		if other.trial == w.trial {
			s.violate("%s is started while attempt %d runs", w, other.attempt)
		}
	}
	if err := inSpace(spec.Assignment); err != nil {
		s.violate("%s is started: %v (I9)", w, err)
	}
	x.works = append(x.works, w)
}

// mayBegin looks whether people want a trial to begin.
func (s *sim) mayBegin(x *trialled, t *experiment.Trial, trials []experiment.Trial) {
	e, err := s.life.store.Get(context.Background(), x.key)
	most := x.budget.is.parallel
	if p := x.budget.perhaps; p != nil {
		most = max(most, p.parallel)
	}
	_, halted := x.halted[t.Name]
	_, pruned := x.pruned[t.Name]
	switch {
	case err != nil || x.gone:
		s.violate("trial %d of %s begins, which is gone (%v)", t.Number, x.key, err)
	case e.Control.Deleting || x.deleting.is:
		s.violate("trial %d of %s begins, which is being deleted", t.Number, x.key)
	case e.Status.Completed():
		s.violate("trial %d of %s begins, which has ended", t.Number, x.key)
	case x.paused.is && x.paused.perhaps == nil:
		s.violate("trial %d of %s begins, which is paused", t.Number, x.key)
	case halted:
		s.violate("trial %d of %s begins, which was stopped", t.Number, x.key)
	case pruned:
		s.violate("trial %d of %s begins, which a rule has stopped", t.Number, x.key)
	case len(x.alive()) >= int(most):
		s.violate("%d workloads of %s run, at most %d may (I2)", len(x.alive())+1, x.key, most)
	}
	if first := x.overtaken(t, trials); first != nil {
		s.violate("trial %d of %s begins, though trial %d was enqueued", t.Number, x.key, first.Number)
	}
}

func (h *handle) Stop(_ context.Context, key experiment.Key, trial string, attempt int) error {
	x := h.find(key)
	switch {
	case h.life.dead.Load():
		return errDead
	case h.moody(x, 3, "stop", x.number(trial)):
		return errRunner
	}
	w := x.work(trial, attempt)
	if w == nil || w.phase != trialrunner.Running {
		return nil
	}
	w.told = true
	if h.life.sim.draw(x, "at once", x.number(trial))%2 == 0 { // others take their time
		h.life.sim.stopped(w)
	}
	return nil
}

func (h *handle) List(_ context.Context, key experiment.Key) (out []trialrunner.Workload, err error) {
	x := h.find(key)
	switch {
	case h.life.dead.Load():
		return nil, errDead
	case h.moody(x, 2, "list"):
		return nil, errRunner
	}
	for _, w := range x.works {
		if !w.removed {
			out = append(out, trialrunner.Workload{
				Trial: w.trial, Attempt: w.attempt, Phase: w.phase, Started: w.started, Finished: w.finished,
				LastSeq: uint64(len(w.measured)), Exit: w.exit,
			})
		}
	}
	return out, nil
}

func (h *handle) Leftover(_ context.Context, key experiment.Key, trial string, attempt int, after uint64) ([]experiment.Measurement, error) {
	x := h.find(key)
	switch {
	case h.life.dead.Load():
		return nil, errDead
	case h.moody(x, 5, "leftover", x.number(trial)):
		return nil, errRunner
	}
	w := x.work(trial, attempt)
	if w == nil || w.removed || after >= uint64(len(w.measured)) {
		return nil, nil
	}
	return slices.Clone(w.measured[after:]), nil
}

func (h *handle) Remove(_ context.Context, key experiment.Key, trial string, attempt int) error {
	x := h.find(key)
	switch {
	case h.life.dead.Load():
		return errDead
	case h.moody(x, 3, "remove", x.number(trial)):
		return errRunner
	}
	if w := x.work(trial, attempt); w != nil {
		if w.phase == trialrunner.Running {
			h.life.sim.violate("%s is removed while it runs", w)
		}
		w.removed = true
	}
	return nil
}

func (h *handle) Purge(_ context.Context, key experiment.Key) error {
	x := h.find(key)
	switch {
	case h.life.dead.Load():
		return errDead
	case h.moody(x, 3, "purge"):
		return errRunner
	}
	x.purged = true
	return nil
}

func (h *handle) Leave(experiment.Key) {}

func (h *handle) Log(context.Context, experiment.Key, string, int, int64, bool) (io.ReadCloser, error) {
	return nil, fs.ErrNotExist
}

func (h *handle) Changed() <-chan experiment.Key { return h.changed }
func (h *handle) Close() error                   { return nil }

// wake has the daemon look at an experiment.
func (h *handle) wake(x *trialled) {
	select {
	case h.changed <- x.key:
	default:
	}
}

// finish ends a workload.
func (s *sim) finish(w *work, phase trialrunner.Phase, exit trialrunner.Exit) {
	w.phase, w.exit, w.finished = phase, exit, time.Now()
	if s.life != nil {
		s.life.runner.wake(w.of)
	}
}

func (s *sim) stopped(w *work) {
	s.finish(w, trialrunner.Exited, trialrunner.Exit{Code: -1, Signal: "terminated", Reason: trialrunner.ReasonStopped})
}
