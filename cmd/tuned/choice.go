package main

import (
	"fmt"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// choiceOf is the algorithm that suggests the next trial of a spec once so many have ended; ok is false where its
// algorithm does not choose among others, or is not built in.
func choiceOf(s *experiment.Spec, finished int) (c algorithms.Choice, ok bool) {
	if s.Algorithm == nil {
		return c, false
	}
	def, values, err := chosenAlgorithm(s)
	if err != nil || def.Chooses == nil {
		return c, false
	}
	p, err := tuner.Problem(s)
	if err != nil {
		return c, false
	}
	if s.Tuned != nil {
		p.Priors = make([]algorithms.Prior, len(s.Tuned.WarmStart)) // what is in them makes no difference
	}
	return def.Chooses(p, values, finished), true
}

// choiceText is the choice and its reason in words; "" where there is none.
func choiceText(s *experiment.Spec, finished int) string {
	c, ok := choiceOf(s, finished)
	if !ok {
		return ""
	}
	text := c.Name + ": " + c.Reason
	if most := s.MaxTrialCount; c.Until > 0 && (most == nil || c.Until < int(*most)) {
		next, _ := choiceOf(s, c.Until)
		text += fmt.Sprintf("; %s once %d trials have ended", next.Name, c.Until)
	}
	return text
}

// sayWhatIsChosen tells which algorithm begins, where one chooses among others.
func (a *app) sayWhatIsChosen(s *experiment.Spec) {
	if text := choiceText(s, 0); text != "" {
		fmt.Fprintf(a.stderr, "%s chooses %s\n", s.Algorithm.AlgorithmName, text)
	}
}

// finishedIn counts the trials that have ended.
func finishedIn(trials []experiment.Trial) (n int) {
	for i := range trials {
		if trials[i].State.Final() {
			n++
		}
	}
	return n
}

// outlookText says what further trials are expected to improve and what they would take; "" where that cannot be said.
func outlookText(e *experiment.Experiment, trials []experiment.Trial) string {
	if e.Spec.Algorithm == nil {
		return ""
	}
	o, err := tuner.NewOutlook(e, trials, builtin.Registry())
	if err != nil {
		return ""
	}
	text := o.String()
	if o.Took > 0 {
		text += fmt.Sprintf("; each takes %s", clock(o.Took))
	}
	return text
}
