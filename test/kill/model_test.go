package kill_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
)

// What the clients of one experiment may call.
const (
	opAsk    = "ask"    // request -> number of a trial, 0 for none
	opTell   = "tell"   // trial, value -> whether it is accepted
	opList   = "list"   // -> all trials
	opGet    = "get"    // -> how many trials there are, and how many of them are done
	opGreet  = "greet"  // trial -> what of its stream is durable
	opAppend = "append" // trial, first, last -> what of its stream is durable
)

type input struct {
	op          string
	request     string
	trial       uint64
	value       string
	first, last uint64
}

// output is an answer. One that never came may be anything: the daemon was killed.
type output struct {
	came        bool
	trial       uint64
	accepted    bool
	trials      []listed
	total, done int
	acked       uint64
}

// listed is a trial as ListTrials has it.
type listed struct {
	state string
	value string
}

// registered is a trial as the model has it.
type registered struct {
	request string
	value   string // "" while it runs
	acked   uint64
}

// register is an experiment: what a daemon that never dies, and does one thing at a time, would have.
type register []registered

// model is the sequential specification for an experiment with these limits.
func model(parallel, budget int) porcupine.Model {
	return porcupine.Model{
		Partition: partition,
		Init:      func() any { return register(nil) },
		Step: func(state, in, out any) (bool, any) {
			s, answer := state.(register), out.(output)
			next, right := s.step(in.(input), answer, parallel, budget)
			return right || !answer.came, next
		},
		Equal: func(a, b any) bool { return slices.Equal(a.(register), b.(register)) },
		DescribeOperation: func(in, out any) string {
			return fmt.Sprintf("%+v -> %+v", in, out)
		},
		DescribeState: func(state any) string { return fmt.Sprintf("%+v", state) },
	}
}

// partition takes the stream of each trial for itself: it hangs on nothing but the calls about it.
func partition(all []porcupine.Operation) (parts [][]porcupine.Operation) {
	of := map[uint64]int{}
	for _, op := range all {
		in := op.Input.(input)
		key := uint64(0)
		if in.op == opGreet || in.op == opAppend {
			key = in.trial
		}
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

// step carries one call out, and says whether the answer is right.
func (s register) step(in input, out output, parallel, budget int) (register, bool) {
	switch in.op {
	case opAsk:
		return s.ask(in, out, parallel, budget)
	case opTell:
		was := s[in.trial-1].value
		if was == "" {
			s = slices.Clone(s)
			s[in.trial-1].value = in.value
		}
		return s, out.accepted == (was == "" || was == in.value)
	case opList:
		return s, slices.EqualFunc(s, out.trials, func(r registered, l listed) bool {
			return r.value == l.value && (l.state == "Running") == (r.value == "")
		})
	case opGet:
		return s, out.total == len(s) && out.done == len(s)-s.active()
	}
	if len(s) == 0 { // a part of the history that is about one stream alone
		s = register{{}}
	}
	if in.last > s[0].acked {
		s = register{{acked: in.last}}
	}
	return s, out.acked == s[0].acked
}

func (s register) active() (n int) {
	for _, r := range s {
		if r.value == "" {
			n++
		}
	}
	return n
}

func (s register) ask(in input, out output, parallel, budget int) (register, bool) {
	if i := slices.IndexFunc(s, func(r registered) bool { return r.request == in.request }); i >= 0 {
		return s, out.trial == uint64(i+1)
	}
	if s.active() >= parallel || len(s) >= budget {
		return s, out.trial == 0
	}
	return append(slices.Clone(s), registered{request: in.request}), out.trial == uint64(len(s)+1)
}

// TestModel shows what the model takes for wrong.
func TestModel(t *testing.T) {
	asked := func(request string, trial uint64) porcupine.Operation {
		return porcupine.Operation{Input: input{op: opAsk, request: request}, Output: output{came: true, trial: trial}}
	}
	told := func(value string, accepted bool) porcupine.Operation {
		return porcupine.Operation{Input: input{op: opTell, trial: 1, value: value}, Output: output{came: true, accepted: accepted}}
	}
	got := func(total, done int) porcupine.Operation {
		return porcupine.Operation{Input: input{op: opGet}, Output: output{came: true, total: total, done: done}}
	}
	appended := func(last, acked uint64) porcupine.Operation {
		return porcupine.Operation{Input: input{op: opAppend, trial: 1, first: last, last: last}, Output: output{came: true, acked: acked}}
	}
	listed := func(all ...listed) porcupine.Operation {
		return porcupine.Operation{Input: input{op: opList}, Output: output{came: true, trials: all}}
	}
	tests := []struct {
		name  string
		calls []porcupine.Operation
		legal bool
	}{
		{"right", []porcupine.Operation{asked("a", 1), asked("b", 2), asked("c", 0), asked("a", 1), told("7", true), told("7", true), told("8", false), asked("c", 3), got(3, 1)}, true},
		{"a request forgotten", []porcupine.Operation{asked("a", 1), asked("a", 2)}, false},
		{"a trial given twice", []porcupine.Operation{asked("a", 1), asked("b", 1)}, false},
		{"too many under way", []porcupine.Operation{asked("a", 1), asked("b", 2), asked("c", 3)}, false},
		{"budget exceeded", []porcupine.Operation{asked("a", 1), told("7", true), asked("b", 2), asked("c", 3), got(3, 1), asked("d", 4)}, false},
		{"a result lost", []porcupine.Operation{asked("a", 1), told("7", true), got(1, 0)}, false},
		{"a result replaced", []porcupine.Operation{asked("a", 1), told("7", true), told("8", true)}, false},
		{"another value", []porcupine.Operation{asked("a", 1), told("7", true), listed(struct{ state, value string }{"Succeeded", "8"})}, false},
		{"a trial lost", []porcupine.Operation{asked("a", 1), got(0, 0)}, false},
		{"measurements kept", []porcupine.Operation{appended(1, 1), appended(2, 2), appended(1, 2)}, true},
		{"a measurement lost", []porcupine.Operation{appended(1, 1), appended(2, 2), appended(1, 1)}, false},
	}
	for _, tt := range tests {
		for i := range tt.calls {
			tt.calls[i].Call, tt.calls[i].Return = int64(2*i), int64(2*i+1)
		}
		if got := porcupine.CheckOperations(model(2, 3), tt.calls); got != tt.legal {
			t.Errorf("%s: legal: got %t, want %t", tt.name, got, tt.legal)
		}
	}
}
