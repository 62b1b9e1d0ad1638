package kill_test

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// operation is what clients do to an experiment. Two take effect in two steps, which others may come between.
type operation string

const (
	opCreate     operation = "create"
	opDelete     operation = "delete"      // begins the deletion
	opDeleted    operation = "deleted"     // it is carried out
	opPause      operation = "pause"       //
	opResume     operation = "resume"      //
	opStop       operation = "stop"        // drain
	opExtend     operation = "extend"      // max
	opAnnotate   operation = "annotate"    // text
	opAsk        operation = "ask"         // request -> trial
	opTell       operation = "tell"        // trial, text
	opTellPoint  operation = "tell point"  // request, text -> trial
	opEnqueue    operation = "enqueue"     // request -> trial
	opStopTrial  operation = "stop trial"  // trial
	opEndTrial   operation = "end trial"   // it has ended
	opReport     operation = "report"      // trial, seq -> acked, stop
	opShouldStop operation = "should stop" // trial -> stop
	opGet        operation = "get"         // -> summary
	opList       operation = "list"        // -> trials
)

type input struct {
	op         operation
	experiment string
	request    string
	trial      string // name
	text       string // a value, or a note
	max        int
	seq        uint64
	drain      bool
}

// answer is how a call was answered.
type answer int

const (
	never    answer = iota // the daemon was killed: it has done what was asked, or not
	answered               // it is done
	refused                // it cannot be done as things stand
	missing                // there is no such experiment or trial
)

type output struct {
	answer  answer
	trial   string // name; "" for none
	number  int
	acked   uint64
	stop    bool
	summary summary
	trials  []listed
}

// summary is an experiment as GetExperiment has it.
type summary struct {
	ended, paused                                bool
	max, total, pending, running, succeeded, out int
	note                                         string
}

// listed is a trial as ListTrials has it.
type listed struct{ name, state, value string }

// The states of a trial.
const (
	pending   = "Pending"
	running   = "Running"
	succeeded = "Succeeded"
	killed    = "Killed"
)

// modelled is a trial as the model has it.
type modelled struct {
	name     string // "" until an answer tells it
	asked    string // request that it was handed out for
	given    string // request that enqueued or told it
	state    string
	value    string
	stopping bool
	acked    uint64
}

func (t *modelled) active() bool { return t.state == pending || t.state == running }

// called reports whether the trial has the name, or takes it for its name.
func (t *modelled) called(name string) bool {
	if t.name == "" {
		t.name = name
	}
	return t.name == name
}

// state is an experiment as a daemon has it that never dies, and does one thing at a time.
type state struct {
	exists, deleting, ended, stopped, kills, paused bool

	max    int
	note   string
	trials []modelled
}

func (s *state) same(o *state) bool {
	return s.exists == o.exists && s.deleting == o.deleting && s.ended == o.ended && s.stopped == o.stopped && s.kills == o.kills &&
		s.paused == o.paused && s.max == o.max && s.note == o.note && slices.Equal(s.trials, o.trials)
}

func (s *state) count(is func(*modelled) bool) (n int) {
	for i := range s.trials {
		if is(&s.trials[i]) {
			n++
		}
	}
	return n
}

func (s *state) in(state string) int {
	return s.count(func(t *modelled) bool { return t.state == state })
}
func (s *state) active() int { return s.count((*modelled).active) }

// find returns a trial, nil when there is none.
func (s *state) find(is func(*modelled) bool) *modelled {
	for i := range s.trials {
		if is(&s.trials[i]) {
			return &s.trials[i]
		}
	}
	return nil
}

// judge ends an experiment of which all trials have ended that it may have.
func (s *state) judge() {
	if !s.ended && len(s.trials)-s.active() >= s.max {
		s.ended, s.paused = true, false
	}
}

// sweep ends what is to end without anybody's doing: it comes a little after its cause.
func (s *state) sweep() {
	for i := range s.trials {
		t := &s.trials[i]
		if t.active() && (t.stopping || s.ended && (t.state == pending || s.kills)) {
			t.state = killed
		}
	}
	s.judge()
}

func (s *state) clone() *state {
	c := *s
	c.trials = slices.Clone(s.trials)
	return &c
}

// model is the sequential specification of the experiments of one daemon.
func model() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Partition: partition,
		Init:      func() []any { return []any{&state{}} },
		Step: func(is, in, out any) (next []any) {
			for _, s := range is.(*state).step(in.(input), out.(output)) {
				next = append(next, s)
			}
			return next
		},
		Equal: func(a, b any) bool { return a.(*state).same(b.(*state)) },
		DescribeOperation: func(in, out any) string {
			return fmt.Sprintf("%+v -> %+v", in, out)
		},
		DescribeState: func(s any) string { return fmt.Sprintf("%+v", *s.(*state)) },
	}
	return m.ToModel()
}

// partition takes each experiment for itself.
func partition(all []porcupine.Operation) (parts [][]porcupine.Operation) {
	of := map[string]int{}
	for _, op := range all {
		key := op.Input.(input).experiment
		i, known := of[key]
		if !known {
			i = len(parts)
			of[key] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], op)
	}
	return parts
}

// step returns what may be after an operation: nothing when its answer is wrong.
func (s *state) step(in input, out output) (next []*state) {
	before := []*state{s.clone(), s.clone()}
	before[1].sweep()
	if s.deleting {
		before = append(before, &state{})
	}
	for i, b := range before {
		if i > 0 && b.same(s) {
			continue
		}
		if out.answer == never {
			next = append(next, b.clone())
		}
		if right := b.apply(in, out); right || out.answer == never {
			next = append(next, b)
		}
	}
	return next
}

// apply carries an operation out, and reports whether the answer is right.
func (s *state) apply(in input, out output) bool {
	switch {
	case in.op == opCreate:
		return s.create(out)
	case in.op == opDeleted:
		if s.deleting {
			*s = state{}
		}
		return !s.exists
	case in.op == opShouldStop && !s.exists:
		return out.answer == answered && out.stop
	case !s.exists:
		return out.answer == missing || in.op == opEndTrial
	}
	switch in.op {
	case opDelete:
		s.deleting = true
		return out.answer == answered
	case opGet:
		return out.answer == answered && out.summary == s.summary()
	case opList:
		return out.answer == answered && s.listed(out.trials)
	case opReport, opShouldStop, opEndTrial:
		return s.look(in, out)
	}
	if s.deleting {
		return out.answer == refused
	}
	switch in.op {
	case opAsk, opEnqueue, opTellPoint:
		return s.add(in, out)
	case opTell, opStopTrial:
		return s.end(in, out)
	}
	return s.control(in, out)
}

func (s *state) create(out output) bool {
	switch {
	case !s.exists:
		*s = state{exists: true, max: budget}
		return out.answer == answered || out.answer == missing // deleted at once
	case s.deleting || s.max != budget:
		return out.answer == refused
	}
	return out.answer == answered || out.answer == missing
}

// control is what people do to an experiment.
func (s *state) control(in input, out output) bool {
	switch in.op {
	case opPause:
		if s.ended {
			return out.answer == refused
		}
		s.paused = true
	case opResume:
		if s.ended && len(s.trials) >= s.max {
			return out.answer == refused
		}
		s.ended, s.stopped, s.kills, s.paused = false, false, false, false
	case opStop:
		s.kills = s.ended && s.kills || !in.drain && s.active() > 0
		s.stopped = s.stopped || !s.ended
		s.ended, s.paused = true, false
	case opExtend:
		if s.max == in.max {
			break
		}
		s.max = in.max
		if s.ended && !s.stopped && len(s.trials) < s.max {
			s.ended, s.kills = false, false
		}
		s.judge()
	case opAnnotate:
		s.note = in.text
	}
	return out.answer == answered
}

// add is what makes trials.
func (s *state) add(in input, out output) bool {
	asked, given := in.request, ""
	if in.op != opAsk {
		asked, given = "", in.request
	}
	is := func(name string, number int) bool {
		return out.answer == answered && number == out.number && s.trials[number-1].called(name)
	}
	for i := range s.trials {
		if t := &s.trials[i]; asked != "" && t.asked == asked || given != "" && t.given == given {
			return is(out.trial, i+1)
		}
	}
	switch full := len(s.trials) >= s.max; {
	case in.op == opAsk && (s.ended || s.paused || s.in(running) >= parallel):
		return out.answer == answered && out.trial == ""
	case in.op == opAsk && s.in(pending) > 0:
		i := slices.IndexFunc(s.trials, func(t modelled) bool { return t.state == pending })
		s.trials[i].state, s.trials[i].asked = running, asked
		return is(out.trial, i+1)
	case in.op == opAsk && full:
		return out.answer == answered && out.trial == ""
	case s.ended || full:
		return out.answer == refused
	}
	t := modelled{asked: asked, given: given, state: pending}
	switch in.op {
	case opAsk:
		t.state = running
	case opTellPoint:
		t.state, t.value, t.acked = succeeded, in.text, 1
	}
	s.trials = append(s.trials, t)
	s.judge()
	return is(out.trial, len(s.trials))
}

// end is what ends trials.
func (s *state) end(in input, out output) bool {
	t := s.find(func(t *modelled) bool { return t.name == in.trial })
	switch {
	case t == nil:
		return out.answer == missing
	case in.op == opStopTrial:
		t.stopping = t.stopping || t.active()
		return out.answer == answered
	case !t.active():
		return (out.answer == answered) == (t.state == succeeded && t.value == in.text)
	}
	t.state, t.value = succeeded, in.text
	t.acked++
	s.judge()
	return out.answer == answered
}

// look is what changes no state of a trial.
func (s *state) look(in input, out output) bool {
	t := s.find(func(t *modelled) bool { return t.name == in.trial })
	if t == nil {
		return out.answer == missing || in.op == opEndTrial
	}
	stop := !t.active() || t.stopping || s.ended || s.deleting
	switch in.op {
	case opEndTrial:
		return !t.active()
	case opReport:
		if t.active() {
			t.acked = max(t.acked, in.seq)
		}
		return out.answer == answered && out.acked == t.acked && out.stop == stop
	}
	return out.answer == answered && out.stop == stop
}

func (s *state) summary() summary {
	return summary{
		ended: s.ended, paused: s.paused, max: s.max, total: len(s.trials), note: s.note,
		pending: s.in(pending), running: s.in(running), succeeded: s.in(succeeded), out: s.in(killed),
	}
}

func (s *state) listed(all []listed) bool {
	for i, l := range all {
		if i >= len(s.trials) || s.trials[i].state != l.state || s.trials[i].value != l.value || !s.trials[i].called(l.name) {
			return false
		}
	}
	return len(all) == len(s.trials)
}
