package tuner

import (
	"context"
	"errors"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// job creates trials for somebody. Jobs are served one after the other, and not while the algorithm
// thinks.
type job struct {
	ctx     context.Context //nolint:containedctx // of the caller, who may give up while the job is queued
	request string
	wanted  int // trials, of an Ask
	// run serves the job in the driver's goroutine. It calls finish, or has the algorithm asked, whose
	// answer does.
	run    func(j *job) error
	found  []experiment.Trial // what was there already
	result chan answer        // capacity 1
}

type answer struct {
	trials []experiment.Trial
	err    error
}

// finish answers the caller.
func (j *job) finish(created []experiment.Trial, err error) {
	if err != nil {
		j.result <- answer{err: err}
		return
	}
	j.result <- answer{trials: append(j.found, created...)}
}

// await has a job served, and returns the trials that it is answered with.
func (d *driver) await(ctx context.Context, request string, run func(j *job) error) ([]experiment.Trial, error) {
	j := &job{ctx: ctx, request: request, run: run, result: make(chan answer, 1)}
	if err := d.call(ctx, func() error { d.queue = append(d.queue, j); return nil }); err != nil {
		return nil, err
	}
	select {
	case a := <-j.result:
		return a.trials, a.err
	case <-d.done:
		select {
		case a := <-j.result:
			return a.trials, a.err
		default:
			return nil, d.gone()
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve serves the jobs that can be, and reports whether it did anything.
func (d *driver) serve(ctx context.Context) (any bool, err error) {
	if d.thinking != nil && d.e.Status.Completed() {
		d.forget() // the answer is not wanted any more
	}
	for len(d.queue) > 0 && d.thinking == nil {
		j := d.queue[0]
		d.queue = d.queue[1:]
		if j.ctx.Err() != nil {
			continue
		}
		any = true
		err := d.present()
		if err == nil {
			err = anew(func() error { return j.run(j) })
		}
		if err != nil {
			j.finish(nil, err)
		}
		if errors.Is(err, errUnread) {
			return any, err
		}
		if ctx.Err() != nil {
			return any, ctx.Err()
		}
	}
	return any, nil
}

// refuse answers the jobs that wait when there is no space to do them, as they would be answered if
// their turn had come.
func (d *driver) refuse(err error) {
	if !errors.Is(err, store.ErrFull) {
		return
	}
	for _, j := range d.queue {
		j.finish(nil, err)
	}
	d.queue = nil
}
