package tuner

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// An algorithm may take its time. It is asked in a goroutine of its own, so that its experiment goes
// on meanwhile: results are taken, trials end, people pause and stop it. Nothing else creates trials
// until it has answered, for their numbers are part of the question.

// thought is a question to the algorithm and its answer.
type thought struct {
	job      *job // that asked; nil: the driver itself
	of       *suggestions
	finishNo uint64
	done     chan struct{} // closed when the answer is there
	out      []algorithms.Suggestion
	choice   algorithms.Choice // of who answered
	err      error
	began    time.Time
	took     time.Duration
	fits     fits
}

// ended returns what is closed when there is an answer; nil when nothing was asked.
func (th *thought) ended() <-chan struct{} {
	if th == nil {
		return nil
	}
	return th.done
}

// think asks the algorithm for n trials. Nothing waits for the goroutine: an algorithm cannot be
// interrupted, and whoever no longer wants the answer forgets the question.
func (d *driver) think(ctx context.Context, n int, j *job) error {
	th := &thought{job: j, finishNo: d.finishNo, done: make(chan struct{}), began: d.Now()}
	q, err := d.question(n)
	if err != nil {
		th.err = err
		d.suggested(th, nil)
		return err
	}
	th.of = d.suggestions
	d.thinking = th
	begin := d.Uptime()
	go func() {
		defer close(th.done)
		th.out, th.err = th.of.ask(ctx, d, q)
		th.choice = th.of.choice()
		th.took, th.fits = d.Uptime()-begin, th.of.fits // whatever becomes of the clock
	}()
	return nil
}

// forget drops the algorithm and what it was asked; who asked is served anew.
func (d *driver) forget() {
	d.suggestions = nil
	if th := d.thinking; th != nil {
		d.thinking = nil
		if th.job != nil {
			d.queue = append([]*job{th.job}, d.queue...)
		}
	}
}

// take makes trials of the algorithm's answer.
func (d *driver) take(ctx context.Context) error {
	th := d.thinking
	d.thinking = nil
	draft := d.newDraft()
	draft.conclude(th)
	failpoint.Hit("tuner.suggested")
	d.judged = false
	draft.refresh()
	err := draft.commit(ctx)
	if th.job != nil {
		failpoint.Hit("tuner.asked")
		th.job.finish(values(d.trials[draft.stored:]), err)
	}
	if err != nil {
		return d.abandon(ctx, err)
	}
	d.suggested(th, d.trials[draft.stored:])
	return nil
}

// conclude creates the trials that were suggested, as far as they are still wanted.
func (d *draft) conclude(th *thought) {
	exhausted, waiting := errors.Is(th.err, algorithms.ErrExhausted), errors.Is(th.err, algorithms.ErrWait)
	unchanged := th.finishNo == d.finishNo // else it may be no longer so
	switch {
	case d.e.Status.Completed():
		return
	case d.converge(th.err, unchanged):
		return
	case failure(th.err):
		if unchanged || !errors.Is(th.err, errNobodyToWaitFor) {
			d.fail("SuggestionFailed", th.err.Error())
		}
		return
	}
	d.exhausted, d.waiting = exhausted, waiting && unchanged
	state, by := experiment.TrialPending, &job{}
	if th.job != nil {
		state, by = experiment.TrialRunning, th.job
		if th.job.ctx.Err() != nil {
			return // nobody would evaluate them
		}
	}
	if d.held || d.e.Control.Paused {
		return
	}
	for _, s := range th.out[:min(len(th.out), room(d.e, len(d.trials), d.tally.Active()))] {
		d.choose(th.choice)
		d.add(experiment.Trial{
			Number: s.ID, State: state, Memo: s.Memo, Parent: s.Parent, Request: by.request, Wanted: by.wanted, Algorithm: th.choice.Name,
			Assignment: th.of.problem.Space.Format(s.Point),
		})
	}
}

// choose tells of the algorithm that was chosen, if the trials that were suggested before are of another one.
func (d *draft) choose(c algorithms.Choice) {
	for _, t := range slices.Backward(d.trials) {
		if t.Origin == "" {
			if t.Algorithm == c.Name {
				return
			}
			break
		}
	}
	if c.Name != "" {
		d.event("", "AlgorithmChosen", c.Name+": "+c.Reason, false)
	}
}

// add creates a trial.
func (d *draft) add(t experiment.Trial) *experiment.Trial {
	t.Number, t.Attempt, t.Created = uint64(len(d.trials)+1), 1, d.now
	t.Name = experiment.TrialName(d.key.Name, d.e.Metadata.UID, t.Number)
	if t.State == experiment.TrialRunning {
		t.Started = d.now
		d.handed[t.Number] = d.Uptime()
	}
	d.trials = append(d.trials, &t)
	d.tally.Add(&d.e.Spec, &t)
	return &t
}

// addFirstPoints creates up to n trials of those of spec.tuned.firstPoints that were not created yet,
// and returns how many. They are for a job that asked; nil: for the driver itself.
func (d *draft) addFirstPoints(n int, j *job) (added int) {
	state, by := experiment.TrialPending, &job{}
	if j != nil {
		state, by = experiment.TrialRunning, j
	}
	points := d.e.Spec.FirstPoints()
	for d.firsts < len(points) && added < n {
		a, err := d.onGrid(points[d.firsts])
		if err != nil {
			d.fail("FirstPointInvalid", err.Error())
			return added
		}
		d.add(experiment.Trial{State: state, Request: by.request, Wanted: by.wanted, Origin: experiment.FirstPoint, Assignment: a})
		d.firsts++
		added++
	}
	return added
}

// onGrid returns an assignment as trials of this experiment have it. The error says why it is none.
func (d *driver) onGrid(a []experiment.Pair) ([]experiment.Pair, error) {
	space, err := d.e.Spec.Space()
	if err != nil {
		return nil, err
	}
	point, err := space.Parse(a)
	if err != nil {
		return nil, err
	}
	return space.Format(point), nil
}

// errNobodyToWaitFor says that an algorithm waits although no trial is under way.
var errNobodyToWaitFor = errors.New("waits for trials, but none is pending")
