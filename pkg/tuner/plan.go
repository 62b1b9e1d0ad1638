package tuner

import (
	"cmp"
	"slices"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// maxAttempts bounds how often a trial is started whose workload was lost with its machine or its
// agent. How often one is that fails by itself, its template says: Workload.Retries.
const maxAttempts = 3

// View is all that Plan decides from.
type View struct {
	Experiment *experiment.Experiment
	Trials     []*experiment.Trial    // by number
	Workloads  []trialrunner.Workload // as the runner lists them
	Exhausted  bool                   // the algorithm has no further suggestion
	Waiting    bool                   // the algorithm has none before a pending trial has finished
	External   bool                   // clients ask for trials and evaluate them; nothing is started here
	Held       bool                   // an interrupt: nothing new starts, what runs stops
	Thinking   bool                   // the algorithm was asked and has not answered yet
}

// Actions is what has to happen next. The first group changes records, the second one workloads;
// records are made durable before any workload is touched.
type Actions struct {
	Finish []Finish
	Retry  []Finish // the workload ended before the trial did: a new attempt
	Mark   []uint64 // trials whose workload is seen running
	Ask    int      // suggestions wanted

	Start  []uint64 // trials to start
	Stop   []Target
	Remove []Target
}

// Finish pairs a trial with the workload that ended.
type Finish struct {
	Number   uint64
	Workload trialrunner.Workload
}

// Target names one attempt of one trial.
type Target struct {
	Trial   string
	Attempt int
}

// changesRecords reports whether applying a would change what is stored.
func (a Actions) changesRecords() bool {
	return len(a.Finish)+len(a.Retry)+len(a.Mark)+a.Ask > 0
}

// Empty reports whether there is nothing to do.
func (a Actions) Empty() bool {
	return !a.changesRecords() && len(a.Start)+len(a.Stop)+len(a.Remove) == 0
}

// Plan compares what should be with what is. It reads no clock, does no I/O and draws no random
// numbers: the same View gives the same Actions, and a View in which they have been carried out
// gives none.
func Plan(v View) Actions {
	if unfinished(v.Experiment) {
		return Actions{} // Import ends what it has begun
	}
	p := planner{view: v, current: make(map[Target]trialrunner.Workload, len(v.Workloads))}
	for _, w := range v.Workloads {
		p.current[Target{w.Trial, w.Attempt}] = w
	}
	state := v.Experiment.Status
	p.completed = state.Completed()
	p.stopAll = v.Held || p.completed && v.Experiment.OnCompletion() == experiment.Kill
	for _, t := range v.Trials {
		if !t.State.Final() {
			p.active++
			p.trial(t)
		}
	}
	p.strays()
	p.enqueuedFirst()
	p.limitStarts()
	p.actions.Ask = p.ask()
	return p.actions
}

type planner struct {
	view      View
	current   map[Target]trialrunner.Workload // those not yet accounted for
	completed bool
	stopAll   bool
	active    int // trials that are not final
	running   int // workloads that run
	actions   Actions
}

// trial decides about one trial that is not final.
func (p *planner) trial(t *experiment.Trial) {
	if p.view.External {
		p.outside(t)
		return
	}
	target := Target{t.Name, t.Attempt}
	w, seen := p.current[target]
	delete(p.current, target)
	if !seen {
		p.unseen(t)
		return
	}
	switch w.Phase {
	case trialrunner.Exited, trialrunner.Lost:
		p.ended(t, w)
	case trialrunner.Running:
		p.running++
		if t.State == experiment.TrialPending {
			p.actions.Mark = append(p.actions.Mark, t.Number)
		}
		if p.stopAll || t.Stopping {
			p.actions.Stop = append(p.actions.Stop, target)
		}
	}
}

// outside decides about a trial that clients evaluate. One that is handed out when the experiment has
// ended may still be told, where running trials may come to their ends.
func (p *planner) outside(t *experiment.Trial) {
	if t.Stopping || p.completed && (t.State == experiment.TrialPending || p.stopAll) {
		p.actions.Finish = append(p.actions.Finish, Finish{t.Number, trialrunner.Workload{
			Trial: t.Name, Attempt: t.Attempt, Phase: trialrunner.Exited, Exit: trialrunner.Exit{Reason: reasonStopped},
		}})
	}
}

// unseen decides about a trial without a workload.
func (p *planner) unseen(t *experiment.Trial) {
	gone := trialrunner.Workload{Trial: t.Name, Attempt: t.Attempt, Phase: trialrunner.Lost}
	switch {
	case t.State == experiment.TrialRunning:
		p.ended(t, gone)
	case p.completed || t.Stopping:
		gone.Exit.Reason = reasonStopped
		p.actions.Finish = append(p.actions.Finish, Finish{t.Number, gone})
	case !p.view.Held && !p.view.Experiment.Control.Paused:
		p.actions.Start = append(p.actions.Start, t.Number)
	}
}

// ended decides between the end of a trial and another attempt.
func (p *planner) ended(t *experiment.Trial, w trialrunner.Workload) {
	lost := w.Phase == trialrunner.Lost && t.Lost+1 < maxAttempts
	stopped := w.Phase == trialrunner.Exited && w.Exit.Reason == reasonStopped
	crashed := w.Crashed() && t.Crashed < w.Retries
	f := Finish{t.Number, w}
	if !p.completed && !t.Stopping && (lost || stopped || crashed) {
		p.actions.Retry = append(p.actions.Retry, f)
		return
	}
	p.actions.Finish = append(p.actions.Finish, f)
}

// strays handles workloads that belong to no active trial: of an earlier attempt, of a trial that
// is final, of a trial that was never recorded. In the order listed.
func (p *planner) strays() {
	for _, w := range p.view.Workloads {
		target := Target{w.Trial, w.Attempt}
		if _, stray := p.current[target]; !stray {
			continue
		}
		if w.Phase == trialrunner.Running {
			p.actions.Stop = append(p.actions.Stop, target)
			p.running++
		} else {
			p.actions.Remove = append(p.actions.Remove, target)
		}
	}
}

// enqueuedFirst lets trials that a person wants to see start before those that merely wait for a slot.
func (p *planner) enqueuedFirst() {
	slices.SortStableFunc(p.actions.Start, func(a, b uint64) int {
		return cmp.Compare(p.urgency(a), p.urgency(b))
	})
}

func (p *planner) urgency(number uint64) int {
	if p.view.Trials[number-1].Origin == experiment.Enqueued {
		return 0
	}
	return 1
}

// limitStarts keeps the number of running workloads at or below parallelTrialCount.
func (p *planner) limitStarts() {
	room := max(0, parallel(&p.view.Experiment.Spec)-p.running)
	if room == 0 {
		p.actions.Start = nil
	} else if len(p.actions.Start) > room {
		p.actions.Start = p.actions.Start[:room]
	}
}

// ask returns how many suggestions are wanted: as many as may run and as the budget allows. A
// trial about to be finished may end the experiment, so that comes first.
func (p *planner) ask() int {
	v := &p.view
	if p.completed || v.Held || v.Experiment.Control.Paused || len(p.actions.Finish) > 0 {
		return 0
	}
	if v.Exhausted || v.Waiting || v.Thinking || v.External {
		return 0
	}
	return room(p.view.Experiment, len(p.view.Trials), p.active)
}

// room returns how many more trials may be created now.
func room(e *experiment.Experiment, created, active int) int {
	n := parallel(&e.Spec) - active
	if e.Spec.MaxTrialCount != nil {
		n = min(n, int(*e.Spec.MaxTrialCount)-created)
	}
	return max(0, n)
}

func parallel(s *experiment.Spec) int {
	if s.ParallelTrialCount == nil {
		return 1
	}
	return int(*s.ParallelTrialCount)
}
