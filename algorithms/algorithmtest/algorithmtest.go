// Package algorithmtest is the conformance suite that every algorithm passes, built in or plugin.
package algorithmtest

import (
	"fmt"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Run checks that an algorithm keeps the contract of package algorithms, on spaces of all kinds of
// parameter that it can work on. The settings are those that the algorithm requires, if any.
func Run(t *testing.T, def algorithms.Definition, settings ...algorithms.RawSetting) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(&subject{T: t, def: def, settings: settings}) })
	}
}

// T is what the suite needs of *testing.T.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any) // does not return
}

// check is one promise of the contract.
type check struct {
	name string
	run  func(*subject)
}

var checks = []check{
	{"definition", checkDefinition},
	{"settings", checkSettings},
	{"advice", checkAdvice},
	{"answers", checkAnswers},
	{"rebuild", checkRebuild},
	{"batches", checkBatches},
	{"seed", checkSeed},
	{"exhaustion", checkExhaustion},
	{"slices", checkSlices},
	{"objectives", checkObjectives},
	{"priors", checkPriors},
	{"fits", checkFits},
	{"choices", checkChoices},
	{"remaining", checkRemaining},
	{"odd questions", checkOddQuestions},
}

// subject is the algorithm under test.
type subject struct {
	T
	def      algorithms.Definition
	settings []algorithms.RawSetting
}

// problems returns the problems that the algorithm accepts, of which there must be some.
func (s *subject) problems() []namedProblem {
	s.Helper()
	var out []namedProblem
	refusals := ""
	for _, n := range spaces() {
		p := problem(n.params)
		if err := algorithms.Check(s.def, p, s.values()); err != nil {
			refusals += fmt.Sprintf("\n%s: %v", n.name, err)
			continue
		}
		out = append(out, namedProblem{n.name, p})
	}
	if len(out) == 0 {
		s.Fatalf("no space of the suite is accepted:%s", refusals)
	}
	return out
}

type namedProblem struct {
	name string
	algorithms.Problem
}

func problem(params []searchspace.Parameter) algorithms.Problem {
	space, err := searchspace.New(params)
	if err != nil {
		panic(err) // a space of the suite's own
	}
	return algorithms.Problem{Space: space, Objectives: 1, Seed: 1, Parallel: 4}
}

func (s *subject) values() algorithms.Values {
	s.Helper()
	v, err := algorithms.Parse(s.def, s.settings, "")
	if err != nil {
		s.Fatalf("parse settings: %v", err)
	}
	return v
}

func (s *subject) make(p algorithms.Problem) algorithms.Suggester {
	s.Helper()
	sug, err := algorithms.New(s.def, p, s.values())
	if err != nil {
		s.Fatalf("make the suggester: %v", err)
	}
	return sug
}
