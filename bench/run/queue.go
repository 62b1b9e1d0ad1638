package run

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Queue is a set of runs to be done: each entry on each task that it takes part in.
type Queue struct {
	Tasks    []Task
	Entries  []Entry
	Cache    *Cache
	Fresh    bool // do not use kept runs
	Workers  int  // runs at a time
	Progress func(Progress)
}

// Progress is where a Queue stands after one of its runs.
type Progress struct {
	Done, Total int
	Left        time.Duration // estimate
	Last        *Trajectory   // nil when the run failed
}

// Failure is a run that ended with an error.
type Failure struct {
	Optimizer string `json:"optimizer"`
	Problem   string `json:"problem"` // "" for all
	Seed      uint64 `json:"seed"`
	Error     string `json:"error"`
}

// job is one run.
type job struct {
	entry int
	task  Task
	kept  bool // it was made earlier
}

// most is how often in a row an optimizer may fail before no more runs are given to it.
const most = 3

// work is the state of a running Queue, shared by its workers.
type work struct {
	*Queue
	mu       sync.Mutex
	next     int
	jobs     []job
	done     int
	runs     []*Trajectory
	failures []Failure
	failed   []int     // per entry
	took     []float64 // per entry: seconds of the runs done now
	trials   []int     // per entry: their trials
	left     []int     // per entry: trials to be made
}

// Run does all runs. It returns those that succeeded, or that their optimizer does not support, in
// the order of tasks and entries, and those that failed. The error is of the bench itself.
func (q *Queue) Run(ctx context.Context) ([]*Trajectory, []Failure, error) {
	n := len(q.Entries)
	w := &work{Queue: q, failed: make([]int, n), took: make([]float64, n), trials: make([]int, n), left: make([]int, n)}
	for _, t := range q.Tasks {
		for i, e := range q.Entries {
			if e.Takes != nil && !e.Takes(t) {
				continue
			}
			j := job{entry: i, task: t}
			if !q.Fresh {
				tr, err := q.Cache.Get(e, t)
				if err != nil {
					return nil, nil, err
				}
				j.kept = tr != nil
			}
			if !j.kept {
				w.left[i] += t.Problem.Budget
			}
			w.jobs = append(w.jobs, j)
		}
	}
	w.runs = make([]*Trajectory, len(w.jobs))
	for i, e := range q.Entries {
		if e.Fault != nil {
			w.failures = append(w.failures, Failure{Optimizer: e.Name, Error: "cannot be started: " + e.Fault.Error()})
			w.failed[i] = most
		}
	}
	var group sync.WaitGroup
	errs := make([]error, q.Workers)
	for k := range q.Workers {
		group.Go(func() { errs[k] = w.worker(ctx) })
	}
	group.Wait()
	out := slices.DeleteFunc(w.runs, func(tr *Trajectory) bool { return tr == nil })
	return out, w.failures, errors.Join(errors.Join(errs...), ctx.Err())
}

// worker does one job after the other, on one thread, so that CPU time can be told.
func (w *work) worker(ctx context.Context) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	open := make([]Optimizer, len(w.Entries))
	defer func() {
		for _, o := range open {
			if o != nil {
				err = errors.Join(err, o.Close())
			}
		}
	}()
	for ctx.Err() == nil {
		w.mu.Lock()
		k := w.next
		w.next++
		w.mu.Unlock()
		if k >= len(w.jobs) {
			return nil
		}
		if err := w.do(ctx, k, open); err != nil {
			return err
		}
	}
	return nil
}

// do does job k, or finds it among the kept runs.
func (w *work) do(ctx context.Context, k int, open []Optimizer) error {
	j := w.jobs[k]
	e := w.Entries[j.entry]
	if !w.Fresh {
		tr, err := w.Cache.Get(e, j.task)
		if err != nil {
			return err
		}
		if tr != nil {
			w.finish(k, tr, 0)
			return nil
		}
	}
	w.mu.Lock()
	given := w.failed[j.entry] >= most
	w.mu.Unlock()
	if given {
		w.finish(k, nil, 0)
		return nil
	}
	begin := time.Now()
	tr, err := w.attempt(e, j.task, &open[j.entry])
	if err != nil {
		if ctx.Err() == nil { // else it was interrupted
			w.fail(j, err)
		}
		w.finish(k, nil, time.Since(begin).Seconds())
		return nil
	}
	tr.Optimizer, tr.Version, tr.Ours = e.Name, e.Version, e.Ours
	if tr.Unsupported == "" {
		if err := w.Cache.Put(e, tr); err != nil {
			return fmt.Errorf("keep a run: %w", err)
		}
	}
	w.finish(k, tr, time.Since(begin).Seconds())
	return nil
}

// attempt does one run. After an error the optimizer is closed, to be opened again for the next.
func (w *work) attempt(e Entry, t Task, o *Optimizer) (*Trajectory, error) {
	if *o == nil {
		opened, err := e.Open()
		if err != nil {
			return nil, err
		}
		*o = opened
	}
	tr, err := Run(*o, t)
	if errors.Is(err, ErrUnsupported) {
		return &Trajectory{
			Suite: t.Suite, Hash: t.Hash, Problem: t.Problem.Name, Cluster: t.Problem.Cluster,
			Budget: t.Problem.Budget, Seed: t.Seed, Workers: t.Workers, Unsupported: err.Error(),
		}, nil
	}
	if err != nil {
		_ = (*o).Close() // it has failed already
		*o = nil
	}
	return tr, err
}

func (w *work) fail(j job, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed[j.entry]++
	w.failures = append(w.failures, Failure{
		Optimizer: w.Entries[j.entry].Name, Problem: j.task.Problem.Name, Seed: j.task.Seed, Error: err.Error(),
	})
}

// finish records job k and reports progress.
func (w *work) finish(k int, tr *Trajectory, seconds float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs[k] = tr
	w.done++
	j := w.jobs[k]
	i := j.entry
	if tr != nil && !tr.Cached {
		w.failed[i] = 0
	}
	if !j.kept {
		w.left[i] -= j.task.Problem.Budget
	}
	if seconds > 0 {
		w.took[i] += seconds
		w.trials[i] += j.task.Problem.Budget
	}
	if w.Progress != nil {
		w.Progress(Progress{Done: w.done, Total: len(w.jobs), Left: w.estimate(), Last: tr})
	}
}

// estimate is the time that the trials left will take if each takes as long as those of its optimizer
// did; 0, for unknown, until each optimizer has made a run, for one may cost a thousand times another.
func (w *work) estimate() time.Duration {
	seconds := 0.0
	for i, left := range w.left {
		if left == 0 || w.failed[i] >= most {
			continue
		}
		if w.trials[i] == 0 {
			return 0
		}
		seconds += w.took[i] / float64(w.trials[i]) * float64(left)
	}
	return time.Duration(seconds / float64(w.Workers) * float64(time.Second))
}
