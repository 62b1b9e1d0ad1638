//go:build failpoint

package simulate

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// imported is what another tool had tried.
type imported struct {
	request  string // names the call; "": it cannot be repeated
	trials   []experiment.Trial
	measured map[uint64][]experiment.Measurement
}

// bring makes an experiment one that is imported. Nothing here runs its trials.
func (s *sim) bring(x *trialled) {
	n := int32(3 + s.random.IntN(8))
	e, in := x.wanted, &imported{request: []string{"", "import of " + x.key.Name}[s.random.IntN(2)], measured: map[uint64][]experiment.Measurement{}}
	e.Spec.MaxTrialCount, e.Spec.MaxFailedTrialCount, e.Spec.Objective.Goal = &n, nil, nil
	e.Spec.ParallelTrialCount = new(min(n, *e.Spec.ParallelTrialCount))
	e.Spec.Tuned.MaxDuration, e.Spec.Tuned.Cost, e.Local.Command = nil, nil, nil
	e.Spec.Tuned.TrialTimeout = new(experiment.Duration(2 * s.pace))
	x.external, x.imported, x.budget.is = true, in, budgetOf(&e.Spec)
	x.mostTrials, x.mostParallel = int(n), int(*e.Spec.ParallelTrialCount)
	for number := uint64(1); number <= uint64(n); number++ {
		t := experiment.Trial{
			Number: number, Attempt: 1, State: experiment.TrialSucceeded, FinishNo: number, Created: s.begun, Finished: s.begun.Add(time.Hour),
			Assignment: []experiment.Pair{{Name: "x", Value: strconv.Itoa(int(number) % 3)}, {Name: "n", Value: "3"}, {Name: "c", Value: "a"}},
		}
		var ms []experiment.Measurement
		for seq := uint64(1); seq <= uint64(1+s.random.IntN(3)); seq++ {
			text := loss(s)
			ms = append(ms, experiment.Measurement{Seq: seq, Metric: "loss", Text: text, Value: experiment.ParseValue(text)})
		}
		t.Observation = experiment.Observe(e.Spec.Objective, ms)
		if s.random.IntN(3) > 0 { // of others only the result is known
			in.measured[number] = ms
		}
		in.trials = append(in.trials, t)
	}
}

// meddle has somebody take on an experiment of which an import has left a part: it is refused.
func (s *sim) meddle(x *trialled) {
	e, err := s.life.store.Get(context.Background(), x.key)
	if err != nil || e.Status.Succeeded() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, resumed := s.life.users.ResumeExperiment(ctx, &tunedv1.ResumeExperimentRequest{Namespace: x.key.Namespace, Name: x.key.Name})
	_, asked := s.life.users.Ask(ctx, &tunedv1.AskRequest{Namespace: x.key.Namespace, Experiment: x.key.Name, Count: 1})
	s.say("%s is resumed and asked, though its import was interrupted: %s, %s", x.key, status.Code(resumed), status.Code(asked))
	if (resumed == nil || asked == nil) && s.life.heard() {
		s.broken("%s is resumed (%v) or asked (%v), though only a part of it is imported", x.key, resumed, asked)
	}
}

// take imports an experiment, as often as it takes.
func (s *sim) take(x *trialled) {
	s.meddle(x)
	wanted := *x.wanted
	err := s.life.tuner.Import(context.Background(), tuner.History{
		Experiment: &wanted, Trials: x.imported.trials, Measured: x.imported.measured, Request: x.imported.request,
	})
	s.say("%s is imported: %t", x.key, err == nil)
	switch {
	case !s.life.heard() || s.dying.Load() || s.life.store.broken.Load():
		return // it is imported again
	case errors.Is(err, store.ErrFull):
		return
	case errors.Is(err, store.ErrConflict):
		e, got := s.life.store.Get(context.Background(), x.key)
		if got != nil || x.imported.request != "" || e.Status.Reason() != "ExperimentMaxTrialsReached" {
			s.broken("%s cannot be imported: %v", x.key, err)
		}
	case err != nil:
		s.broken("%s cannot be imported: %v", x.key, err)
	}
	e, err := s.life.store.Get(context.Background(), x.key)
	if err != nil {
		s.broken("%s was imported: %v", x.key, err)
	}
	x.stored, x.uid, x.trials = true, e.Metadata.UID, len(x.imported.trials)
}

// checkImported asserts that the trials that were imported are there as they were.
func (s *sim) checkImported(ctx context.Context, x *trialled, trials []experiment.Trial) {
	if x.imported == nil {
		return
	}
	for i, was := range x.imported.trials {
		is := trials[i]
		if is.State != was.State || is.FinishNo != was.FinishNo || leastLoss(&is) != leastLoss(&was) || is.Assignment[0] != was.Assignment[0] {
			s.broken("%s: trial %d is %+v, was imported as %+v", x.key, i+1, is, was)
		}
		ms, err := s.life.store.Measurements(ctx, experiment.Stream{Experiment: x.key, Number: was.Number, Attempt: 1, Source: "tell"}, 0, 0)
		if err != nil || len(ms) != len(x.imported.measured[was.Number]) {
			s.broken("%s: trial %d has %d measurements (%v), %d were imported", x.key, i+1, len(ms), err, len(x.imported.measured[was.Number]))
		}
	}
}
