package kill_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// plant changes one answer of a kind, and reports whether it was of it.
type plant struct {
	name string
	lie  func(in input, out *output) bool
}

// plants are answers that a daemon might give which has lost something, or done it twice.
var plants = []plant{
	{"a trial is handed out to two", func(in input, out *output) bool { out.number++; return in.op == opAsk && out.trial != "" }},
	{"there is no trial, though there is room", func(in input, out *output) bool {
		had := in.op == opAsk && out.trial != ""
		out.trial, out.number = "", 0
		return had
	}},
	{"another trial is enqueued", func(in input, out *output) bool { out.number++; return in.op == opEnqueue }},
	{"another trial is told", func(in input, out *output) bool { out.number++; return in.op == opTellPoint }},
	{"a trial is forgotten", func(in input, out *output) bool { out.answer = missing; return in.op == opTell }},
	{"a measurement is lost", func(in input, out *output) bool { out.acked--; return in.op == opReport && out.acked+1 > 0 }},
	{"a client is told to go on", func(in input, out *output) bool {
		was := out.stop
		out.stop = false
		return in.op == opShouldStop && was
	}},
	{"a result is lost", func(in input, out *output) bool {
		out.summary.succeeded, out.summary.running = out.summary.succeeded-1, out.summary.running+1
		return in.op == opGet && out.summary.succeeded >= 0
	}},
	{"a pause is forgotten", func(in input, out *output) bool {
		was := out.summary.paused
		out.summary.paused = false
		return in.op == opGet && was
	}},
	{"an end is forgotten", func(in input, out *output) bool {
		was := out.summary.ended
		out.summary.ended = false
		return in.op == opGet && was
	}},
	{"a budget is another one", func(in input, out *output) bool { out.summary.max++; return in.op == opGet }},
	{"a note is another one", func(in input, out *output) bool { out.summary.note += "?"; return in.op == opGet }},
	{"a trial is not listed", func(in input, out *output) bool {
		had := in.op == opList && len(out.trials) > 0
		out.trials = out.trials[:max(0, len(out.trials)-1)]
		return had
	}},
	{"a trial has another name", func(in input, out *output) bool {
		return in.op == opList && change(out, func(*listed) bool { return true }, func(l *listed) { l.name += "?" })
	}},
	{"a trial has another value", func(in input, out *output) bool {
		return in.op == opList && change(out, func(l *listed) bool { return l.value != "" }, func(l *listed) { l.value += "1" })
	}},
	{"a trial runs that has ended", func(in input, out *output) bool {
		return in.op == opList && change(out, func(l *listed) bool { return l.state == succeeded }, func(l *listed) { l.state = running })
	}},
	{"an experiment is gone", func(in input, out *output) bool { out.answer = missing; return in.op == opList }},
}

// change alters one of the listed trials, if there is one of the kind.
func change(out *output, is func(*listed) bool, alter func(*listed)) bool {
	out.trials = slices.Clone(out.trials)
	for i := range out.trials {
		if is(&out.trials[i]) {
			alter(&out.trials[i])
			return true
		}
	}
	return false
}

// TestPlantedAnswers changes single answers of a history that is right, and requires that each kind is
// found. A single one may be right after all: what it says may be so while a call that others made is open.
func TestPlantedAnswers(t *testing.T) {
	found := map[string]int{}
	planted := 0
	for n := 0; n < 10 && len(found) < len(plants); n++ {
		h := record(t, *seed+1000+uint64(n))
		for _, p := range plants {
			if found[p.name] > 0 {
				continue
			}
			for _, wrong := range p.in(h.done, 5) {
				planted++
				if porcupine.CheckOperationsTimeout(model(), wrong, time.Minute) == porcupine.Illegal {
					found[p.name]++
				}
			}
		}
	}
	all := 0
	for _, p := range plants {
		if all += found[p.name]; found[p.name] == 0 {
			t.Errorf("%s: not found", p.name)
		}
	}
	t.Logf("%d of %d planted answers found, of %d kinds", all, planted, len(plants))
}

// in returns copies of a history, each with one answer changed, most at most.
func (p plant) in(done []porcupine.Operation, most int) (wrong [][]porcupine.Operation) {
	for i, op := range done {
		out := op.Output.(output)
		if out.answer == answered && p.lie(op.Input.(input), &out) && len(wrong) < most {
			wrong = append(wrong, slices.Clone(done))
			wrong[len(wrong)-1][i].Output = out
		}
	}
	return wrong
}

// calls are operations one after the other.
type calls []porcupine.Operation

func (c calls) then(in input, out output) calls {
	in.experiment = "a"
	n := int64(len(c))
	return append(slices.Clone(c), porcupine.Operation{Input: in, Output: out, Call: 2 * n, Return: 2*n + 1})
}

// meanwhile adds one that overlaps with all since the beginning of the one before.
func (c calls) meanwhile(in input, out output) calls {
	c = c.then(in, out)
	c[len(c)-1].Call = c[len(c)-2].Call
	return c
}

// TestModel shows what the model takes for right and for wrong.
func TestModel(t *testing.T) {
	ok := output{answer: answered}
	begun := calls{}.then(input{op: opCreate}, ok)
	asked := func(c calls, request string, number int) calls {
		out := output{answer: answered, number: number}
		if number > 0 {
			out.trial = fmt.Sprintf("t%d", number)
		}
		return c.then(input{op: opAsk, request: request}, out)
	}
	tell := func(c calls, value string, a answer) calls {
		return c.then(input{op: opTell, trial: "t1", text: value}, output{answer: a})
	}
	get := func(c calls, s summary) calls {
		if s.max == 0 {
			s.max = budget
		}
		return c.then(input{op: opGet}, output{answer: answered, summary: s})
	}
	full := begun
	for i := range parallel {
		full = asked(full, fmt.Sprint("r", i), i+1)
	}
	one := asked(begun, "a", 1)
	stopped := tell(one, "7", answered).then(input{op: opStop}, ok)
	tests := []struct {
		name  string
		calls calls
		legal bool
	}{
		{"no room, then there is", asked(tell(asked(full, "x", 0), "7", answered), "x", parallel+1), true},
		{"too many under way", asked(full, "x", parallel+1), false},
		{"a request repeated", asked(one, "a", 1), true},
		{"a request forgotten", asked(one, "a", 2), false},
		{"a result repeated", tell(tell(one, "7", answered), "7", answered), true},
		{"a result replaced", tell(tell(one, "7", answered), "8", answered), false},
		{"a result lost", get(tell(one, "7", answered), summary{total: 1, running: 1}), false},
		{"an answer lost, and the trial there", get(begun.then(input{op: opAsk, request: "a"}, output{}), summary{total: 1, running: 1}), true},
		{"an answer lost, and no trial", get(begun.then(input{op: opAsk, request: "a"}, output{}), summary{}), true},
		{"a trial that came later", get(get(begun.then(input{op: opAsk, request: "a"}, output{}), summary{}), summary{total: 1, running: 1}), false},
		{"paused: nothing is handed out", asked(begun.then(input{op: opPause}, ok), "a", 0), true},
		{"paused: something is", asked(begun.then(input{op: opPause}, ok), "a", 1), false},
		{"resumed", asked(begun.then(input{op: opPause}, ok).then(input{op: opResume}, ok), "a", 1), true},
		{"an enqueued trial comes first", asked(begun.then(input{op: opEnqueue, request: "e"}, output{answer: answered, trial: "t1", number: 1}), "a", 1), true},
		{"an enqueued trial is passed over", asked(begun.then(input{op: opEnqueue, request: "e"}, output{answer: answered, trial: "t1", number: 1}), "a", 2), false},
		{"stopped: nothing is handed out", asked(stopped, "b", 0), true},
		{"stopped, and resumed", asked(stopped.then(input{op: opResume}, ok), "b", 2), true},
		{"stopped, its trials not yet", get(one.then(input{op: opStop}, ok), summary{ended: true, total: 1, running: 1}), true},
		{"stopped, its trials too", get(one.then(input{op: opStop}, ok), summary{ended: true, total: 1, out: 1}), true},
		{"stopped, and a trial told", tell(get(one.then(input{op: opStop}, ok), summary{ended: true, total: 1, out: 1}), "7", answered), false},
		{"drained, and a trial told", tell(one.then(input{op: opStop, drain: true}, ok), "7", answered), true},
		{"extended", get(begun.then(input{op: opExtend, max: 30}, ok), summary{max: 30}), true},
		{"an extension forgotten", get(begun.then(input{op: opExtend, max: 30}, ok), summary{}), false},
		{"deleted", begun.then(input{op: opDelete}, ok).then(input{op: opDeleted}, ok).then(input{op: opGet}, output{answer: missing}), true},
		{"deleted, and there", get(begun.then(input{op: opDelete}, ok).then(input{op: opDeleted}, ok), summary{}), false},
		{"deleted and created, with a trial of before", asked(one.then(input{op: opDelete}, ok).then(input{op: opDeleted}, ok).then(input{op: opCreate}, ok), "a", 2), false},
		{"being deleted, and refused", begun.then(input{op: opDelete}, ok).then(input{op: opPause}, output{answer: refused}).then(input{op: opDeleted}, ok), true},
		{"refused for nothing", begun.then(input{op: opPause}, output{answer: refused}), false},
		{"at the same time", one.then(input{op: opPause}, ok).meanwhile(input{op: opAsk, request: "b"}, output{answer: answered, trial: "t2", number: 2}), true},
		{"measurements kept", one.then(input{op: opReport, trial: "t1", seq: 1}, output{answer: answered, acked: 1}).then(input{op: opReport, trial: "t1", seq: 2}, output{answer: answered, acked: 2}), true},
		{"a measurement lost", one.then(input{op: opReport, trial: "t1", seq: 1}, output{answer: answered, acked: 1}).then(input{op: opReport, trial: "t1", seq: 2}, output{answer: answered, acked: 1}), false},
	}
	for _, tt := range tests {
		if got := porcupine.CheckOperations(model(), tt.calls); got != tt.legal {
			t.Errorf("%s: legal: got %t, want %t", tt.name, got, tt.legal)
		}
	}
}
