//go:build failpoint

package simulate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// known is something that people set, as they know it.
type known[T comparable] struct {
	is      T
	perhaps *T // what it is instead if a call has been carried out of which no answer came
}

// outcome is what came of a call.
type outcome int

const (
	done    outcome = iota
	refused         // and nothing has changed
	lost            // it may have been carried out
	late            // it will be
)

// propose is called before the call that sets v, and heard after it.
func (k *known[T]) propose(v T) { k.perhaps = &v }

func (k *known[T]) heard(how outcome) {
	if how == done || how == late {
		k.is = *k.perhaps
	}
	if how != lost {
		k.perhaps = nil
	}
}

// settle takes in what is stored, and reports whether that may be.
func (k *known[T]) settle(stored T) bool {
	if k.perhaps != nil && *k.perhaps == stored {
		k.is = stored
	}
	k.perhaps = nil
	return k.is == stored
}

// budget is what an experiment may use; 0 is no limit.
type budget struct {
	trials, parallel, failed int32
	duration                 time.Duration
	cost                     float64
}

func budgetOf(s *experiment.Spec) (b budget) {
	b.trials, b.parallel = *s.MaxTrialCount, *s.ParallelTrialCount
	if s.MaxFailedTrialCount != nil {
		b.failed = *s.MaxFailedTrialCount
	}
	if d := s.Tuned.MaxDuration; d != nil {
		b.duration = time.Duration(*d)
	}
	if c := s.Tuned.Cost; c != nil && c.Max != nil {
		b.cost = *c.Max
	}
	return b
}

// people is what people did to an experiment, as they know it.
type people struct {
	acts          int
	paused        known[bool]
	deleting      known[bool]
	budget        known[budget]
	note          known[string]
	trialNotes    map[uint64]*known[string]
	halted        map[string]time.Time // trials that were stopped, and since when they know
	haltedPerhaps map[string]bool      // and those of which they do not
	pruned        map[string]mark      // trials that a rule has stopped
	points        []*point

	restarts bool      // a call is under way that may let it go on after its end
	ended    string    // how, when last looked at; "" while it has not
	endings  int       // how often it has
	drains   bool      // its trials may run on after its end
	stopped  time.Time // since when they must not; zero: they may
	purged   bool      // the runner was told
	gone     bool      // it is deleted
	clock    clock

	mostTrials, mostParallel int  // bounds, which a smaller budget does not move below what there is
	lowered                  bool // a budget has become smaller
}

func newPeople() people {
	return people{trialNotes: map[uint64]*known[string]{}, halted: map[string]time.Time{}, haltedPerhaps: map[string]bool{}, pruned: map[string]mark{}}
}

// mostActs is how much is done to one experiment.
const mostActs = 12

// person lets somebody do something to an experiment, also to one that has ended.
func (s *sim) person() {
	var all []*trialled
	for _, x := range s.experiments {
		if x.stored && !x.gone && !x.deleting.is && x.acts < mostActs {
			all = append(all, x)
		}
	}
	if len(all) == 0 || s.calm {
		return
	}
	x := all[s.random.IntN(len(all))]
	x.acts++
	s.learn(x)
	switch n := s.random.IntN(20); {
	case x.gone:
	case x.paused.is && n < 10:
		s.resume(x)
	case n < 2:
		s.pause(x)
	case n < 4:
		s.resume(x)
	case n < 5:
		s.stop(x)
	case n < 7:
		s.extend(x)
	case n < 9:
		s.delete(x)
	case n < 11:
		s.annotate(x)
	case n < 12:
		s.stopTrial(x)
	default:
		s.offer(x)
	}
}

// call makes a call, which the daemon may not survive.
func (s *sim) call(x *trialled, what string, f func(context.Context) error) (how outcome) {
	percent := 12
	if what == "delete" {
		percent = 40 // it has the most steps
	}
	s.perilous(percent, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err := f(ctx)
		s.say("%s %s: %s", x.key.Name, what, status.Code(err))
		how = s.outcome(x, what, err)
	})
	x.over = false
	return how
}

func (s *sim) outcome(x *trialled, what string, err error) outcome {
	code := status.Code(err)
	switch {
	case !s.life.heard() || s.dying.Load() || s.life.store.broken.Load():
		return lost
	case err == nil:
		return done
	case code == codes.FailedPrecondition || code == codes.ResourceExhausted:
		return refused
	case code == codes.DeadlineExceeded && what == "delete":
		return late
	}
	s.broken("%s: %s fails: %v", x.key, what, err)
	return lost
}

func (s *sim) pause(x *trialled) {
	x.paused.propose(true)
	how := s.call(x, "pause", func(ctx context.Context) error {
		_, err := s.life.users.PauseExperiment(ctx, &tunedv1.PauseExperimentRequest{Namespace: x.key.Namespace, Name: x.key.Name})
		return err
	})
	x.paused.heard(how)
	s.learn(x)
}

func (s *sim) resume(x *trialled) {
	x.restarts = true
	x.paused.propose(false)
	how := s.call(x, "resume", func(ctx context.Context) error {
		_, err := s.life.users.ResumeExperiment(ctx, &tunedv1.ResumeExperimentRequest{Namespace: x.key.Namespace, Name: x.key.Name})
		return err
	})
	x.paused.heard(how)
	s.learn(x)
	if how == refused && x.ended == "" && !x.deleting.is && !s.isFull() {
		s.broken("%s: resume is refused, though it has not ended", x.key)
	}
}

// stop ends an experiment, at once or when its trials have ended.
func (s *sim) stop(x *trialled) {
	drain := s.random.IntN(2) == 0
	how := s.call(x, fmt.Sprintf("stop, drain %t", drain), func(ctx context.Context) error {
		_, err := s.life.users.StopExperiment(ctx, &tunedv1.StopExperimentRequest{Namespace: x.key.Namespace, Name: x.key.Name, Drain: drain})
		return err
	})
	s.learn(x)
	if how != done {
		x.drains = true // perhaps
		return
	}
	if x.ended == "" {
		s.broken("%s was stopped, and has not ended", x.key)
	}
	if x.drains = drain; !drain {
		x.stopped = time.Now()
	}
}

// extend changes a budget, also to less.
func (s *sim) extend(x *trialled) {
	r, next := s.random, x.budget.is
	asked := &tunedv1.Budget{}
	for range 1 + r.IntN(2) {
		switch r.IntN(5) {
		case 0, 1:
			next.trials = max(next.parallel, next.failed, next.trials+int32(r.IntN(16))-4)
			asked.MaxTrials = &next.trials
		case 2:
			next.parallel = min(int32(1+r.IntN(5)), next.trials)
			asked.ParallelTrials = &next.parallel
		case 3:
			next.duration = time.Duration(1 + r.Int64N(20*int64(s.pace)))
			asked.MaxDuration = durationpb.New(next.duration)
		case 4:
			if next.cost > 0 {
				next.cost += float64(r.IntN(8)) - 2
				next.cost = max(1, next.cost)
				asked.MaxCost = &next.cost
			}
		}
	}
	x.restarts = true
	x.lowered = x.lowered || next.trials < x.budget.is.trials || next.parallel < x.budget.is.parallel
	x.budget.propose(next)
	x.mostTrials = max(x.mostTrials, int(next.trials))
	how := s.call(x, fmt.Sprintf("extend to %+v", next), func(ctx context.Context) error {
		_, err := s.life.users.ExtendExperiment(ctx, &tunedv1.ExtendExperimentRequest{Namespace: x.key.Namespace, Name: x.key.Name, Budget: asked})
		return err
	})
	x.budget.heard(how)
	s.learn(x)
}

func (s *sim) annotate(x *trialled) {
	text := fmt.Sprintf("note %d", s.turnNo)
	number := uint64(s.random.IntN(x.trials + 1))
	note, what := &x.note, "annotate"
	if number > 0 {
		if x.trialNotes[number] == nil {
			x.trialNotes[number] = &known[string]{}
		}
		note, what = x.trialNotes[number], fmt.Sprintf("annotate trial %d", number)
	}
	note.propose(text)
	how := s.call(x, what, func(ctx context.Context) (err error) {
		if number > 0 {
			_, err = s.life.users.AnnotateTrial(ctx, &tunedv1.AnnotateTrialRequest{
				Namespace: x.key.Namespace, Experiment: x.key.Name, Trial: fmt.Sprint(number), Note: &text,
			})
			return err
		}
		_, err = s.life.users.AnnotateExperiment(ctx, &tunedv1.AnnotateExperimentRequest{Namespace: x.key.Namespace, Name: x.key.Name, Note: &text})
		return err
	})
	note.heard(how)
	s.learn(x)
}

// delete deletes an experiment, perhaps another one than is meant.
func (s *sim) delete(x *trialled) {
	uid := x.uid
	if s.random.IntN(5) == 0 {
		uid = "of another one"
	}
	x.deleting.propose(uid == x.uid)
	how := s.call(x, "delete", func(ctx context.Context) error {
		_, err := s.life.users.DeleteExperiment(ctx, &tunedv1.DeleteExperimentRequest{Namespace: x.key.Namespace, Name: x.key.Name, Uid: uid})
		return err
	})
	x.deleting.heard(how)
	s.learn(x)
	if how == done && !x.gone {
		s.broken("%s was deleted, and is there", x.key)
	}
}

// vanished looks whether an experiment that is not stored any more has left nothing behind.
func (s *sim) vanished(x *trialled) {
	if !x.deleting.is && x.deleting.perhaps == nil {
		s.broken("%s was acknowledged, and is gone", x.key)
	}
	for _, w := range x.works {
		if !w.removed {
			s.broken("%s is left behind by its experiment, which was deleted", w)
		}
	}
	if !x.purged {
		s.broken("%s was deleted, and its logs were not", x.key)
	}
	if _, err := s.life.store.Trials(context.Background(), x.key); !errors.Is(err, store.ErrNotFound) {
		s.broken("%s was deleted, and its trials were not: %v", x.key, err)
	}
	s.say("%s is gone", x.key.Name)
	x.gone, x.over = true, true
}

func (s *sim) isFull() bool { return time.Now().Before(s.full) }
