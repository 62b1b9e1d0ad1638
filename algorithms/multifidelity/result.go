package multifidelity

import (
	"cmp"
	"math"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// result is what a trial that has finished was worth at its rung.
type result struct {
	trial         uint64
	root          uint64 // see place
	configuration searchspace.Point
	class         class
	loss          float64 // or the sum of violations of an infeasible trial
}

// class ranks results before their losses do.
type class uint8

const (
	feasible class = iota
	infeasible
	pruned // by a rule that saw that it would not become the best
	failed // or without a number for a loss
)

// newResult returns the worth of a trial. Of several objectives the first one counts.
func newResult(t *algorithms.Trial, root uint64, configuration searchspace.Point, constraints int) result {
	r := result{trial: t.ID, root: root, configuration: configuration}
	violation := 0.0
	for _, c := range t.Constraints {
		violation += max(0, c)
	}
	switch {
	case t.State == algorithms.Failed, len(t.Losses) == 0, len(t.Constraints) != constraints:
		r.class = failed
	case math.IsNaN(t.Losses[0]), math.IsInf(t.Losses[0], 0), math.IsNaN(violation):
		r.class = failed
	case t.State == algorithms.Pruned:
		r.class, r.loss = pruned, t.Losses[0]
	case violation > 0:
		r.class, r.loss = infeasible, violation
	default:
		r.loss = t.Losses[0]
	}
	return r
}

// goesOn tells whether the configuration may get more resource.
func (r *result) goesOn() bool { return r.class <= infeasible }

// compare orders results, the best first, equal ones by ID.
func (r *result) compare(other *result) int {
	return cmp.Or(cmp.Compare(r.class, other.class), cmp.Compare(r.loss, other.loss), cmp.Compare(r.trial, other.trial))
}
