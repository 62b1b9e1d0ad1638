//go:build failpoint

package simulate

import (
	"context"
	"fmt"
	"strconv"
	"time"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// point is one that somebody wants to be tried, or has tried unasked.
type point struct {
	id    string
	x     string // its first coordinate, which no other point has
	loss  string // that was measured; "" when it is to be tried
	trial string // "" until the answer came
}

func (p *point) assignments() []*tunedv1.Assignment {
	return []*tunedv1.Assignment{{Name: "x", Value: p.x}, {Name: "n", Value: "3"}, {Name: "c", Value: "b"}}
}

// offer enqueues a point or tells of one, a new one or one of before.
func (s *sim) offer(x *trialled) {
	p := &point{id: fmt.Sprintf("p%d", len(x.points)), x: strconv.FormatFloat(float64(len(x.points)+1)/4096, 'g', -1, 64)}
	if s.random.IntN(2) == 0 {
		p.loss = loss(s)
	}
	again := len(x.points) > 0 && (x.points[len(x.points)-1].trial == "" || s.chance(25))
	if again {
		p = x.points[len(x.points)-1]
	} else {
		x.points = append(x.points, p)
	}
	value, other := p.loss, false
	if p.loss != "" && p.trial != "" && s.chance(50) {
		value, other = "7", true
	}
	var t *tunedv1.Trial
	how := s.call(x, fmt.Sprintf("offer %s %q", p.id, value), func(ctx context.Context) (err error) {
		if value == "" {
			t, err = s.life.users.EnqueueTrial(ctx, &tunedv1.EnqueueTrialRequest{
				Namespace: x.key.Namespace, Experiment: x.key.Name, Assignments: p.assignments(), RequestId: p.id,
			})
			return err
		}
		t, err = s.life.users.Tell(ctx, &tunedv1.TellRequest{
			Namespace: x.key.Namespace, Experiment: x.key.Name, Assignments: p.assignments(), RequestId: p.id,
			Measurements: []*tunedv1.Measurement{{Seq: 1, Metric: "loss", Text: value}},
		})
		return err
	})
	switch {
	case how == done && other:
		s.broken("%s: %s was told %s, and is told %s", x.key, p.id, p.loss, value)
	case how == done && p.trial != "" && p.trial != t.GetName():
		s.broken("%s: request %s had trial %s and has %s now", x.key, p.id, p.trial, t.GetName())
	case how == done:
		p.trial = t.GetName()
	case how == refused && !other:
		s.mayRefuse(x, p)
	}
	s.learn(x)
	s.checkPoints(x)
}

// mayRefuse asserts that there was a reason not to take a point.
func (s *sim) mayRefuse(x *trialled, p *point) {
	if s.isFull() || x.deleting.is || x.deleting.perhaps != nil {
		return
	}
	e, err := s.life.store.Get(context.Background(), x.key)
	if err == nil && p.trial == "" && (e.Status.Completed() || int32(x.trials) >= x.budget.is.trials) {
		return
	}
	trials, _ := s.life.store.Trials(context.Background(), x.key)
	if err != nil || p.trial != "" || int32(len(trials)) < x.budget.is.trials {
		s.broken("%s: %s is refused, its trial is %q", x.key, p.id, p.trial)
	}
}

// checkPoints asserts that each point has one trial if it was taken, and one at most if it may have been.
func (s *sim) checkPoints(x *trialled) {
	if x.gone || x.deleting.is {
		return
	}
	trials, err := s.life.store.Trials(context.Background(), x.key)
	if err != nil {
		s.broken("%s: %v", x.key, err)
	}
	for _, p := range x.points {
		var has []*experiment.Trial
		for i := range trials {
			if trials[i].Assignment[0].Value == p.x {
				has = append(has, &trials[i])
			}
		}
		switch {
		case len(has) > 1:
			s.broken("%s: %s has %d trials, want one", x.key, p.id, len(has))
		case len(has) == 0 && p.trial != "":
			s.broken("%s: trial %s of %s is gone", x.key, p.trial, p.id)
		case len(has) == 0:
		case p.trial != "" && has[0].Name != p.trial:
			s.broken("%s: %s had trial %s, and has %s", x.key, p.id, p.trial, has[0].Name)
		case p.loss != "" && (has[0].State != experiment.TrialSucceeded || has[0].Observation.Metrics[0].Latest != p.loss):
			s.broken("%s: %s was told of trial %d, which is %s with %+v", x.key, p.loss, has[0].Number, has[0].State, has[0].Observation)
		case p.loss == "" && has[0].State.Final() && !s.tried(x, has[0]):
			s.broken("%s: %s was never tried, its trial %d is %s", x.key, p.id, has[0].Number, has[0].State)
		}
	}
}

// tried reports whether a trial was begun, or was given up for a reason.
func (s *sim) tried(x *trialled, t *experiment.Trial) bool {
	_, halted := x.halted[t.Name]
	if halted || x.haltedPerhaps[t.Name] || x.endings > 0 || x.ended != "" {
		return true
	}
	for _, w := range x.works {
		if w.trial == t.Name {
			return true
		}
	}
	return t.Request != ""
}

// overtaken returns an enqueued trial that waits, though another one begins; nil for none.
func (x *trialled) overtaken(t *experiment.Trial, trials []experiment.Trial) *experiment.Trial {
	for i := range trials {
		w := &trials[i]
		waits := w.Origin == experiment.Enqueued && w.State == experiment.TrialPending && !w.Stopping && x.work(w.Name, w.Attempt) == nil
		if waits && w.Number != t.Number && t.Origin != experiment.Enqueued {
			return w
		}
	}
	return nil
}

// stopTrial ends a trial that is under way.
func (s *sim) stopTrial(x *trialled) {
	trials, err := s.life.store.Trials(context.Background(), x.key)
	if err != nil {
		s.broken("%s: %v", x.key, err)
	}
	var open []experiment.Trial
	for _, t := range trials {
		if !t.State.Final() {
			open = append(open, t)
		}
	}
	if len(open) == 0 {
		return
	}
	t := open[s.random.IntN(len(open))]
	x.haltedPerhaps[t.Name] = true
	how := s.call(x, fmt.Sprintf("stop trial %d", t.Number), func(ctx context.Context) error {
		_, err := s.life.users.StopTrial(ctx, &tunedv1.StopTrialRequest{Namespace: x.key.Namespace, Experiment: x.key.Name, Trial: t.Name})
		return err
	})
	now, err := s.life.store.Trial(context.Background(), x.key, t.Number)
	if err == nil && now.Stopping { // though the answer may be lost
		x.halted[t.Name] = time.Now()
	}
	if how == done && (err != nil || !now.Stopping && !now.State.Final() || x.external && !now.State.Final()) {
		s.broken("%s: trial %d was stopped, and is %s (%v)", x.key, t.Number, now.State, err)
	}
	s.learn(x)
}
