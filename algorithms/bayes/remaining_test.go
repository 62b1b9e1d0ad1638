package bayes

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/elementary"
)

func mustRemain(t *testing.T, p algorithms.Problem, trials []algorithms.Trial, ahead int) algorithms.Remaining {
	t.Helper()
	out, err := GP().Remaining(p, algorithms.Values{}, trials, ahead)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func bowlOf(scale, offset float64) func(u []float64, _ *rand.Rand) ([]float64, []float64) {
	return func(u []float64, _ *rand.Rand) ([]float64, []float64) {
		return []float64{offset + scale*((u[0]-0.3)*(u[0]-0.3)+(u[1]-0.6)*(u[1]-0.6))}, nil
	}
}

// TestRemainingFollowsTheTrials: less remains the more is known, more is expected of more trials, and units do not matter.
func TestRemainingFollowsTheTrials(t *testing.T) {
	p, trials := evaluated(t, doubles("a", "b"), 80, bowlOf(1, 0))
	share := func(r algorithms.Remaining) float64 { return r.Improvement / r.Spread }
	few, many := mustRemain(t, p, trials[:8], 5), mustRemain(t, p, trials, 5)
	if !(share(many) < share(few)/2) {
		t.Errorf("after 8 trials %+v remain, after 80 %+v", few, many)
	}
	last := 0.0
	for _, ahead := range []int{0, 1, 2, 5, 20} {
		r := mustRemain(t, p, trials[:20], ahead)
		if r.Improvement < last || r.Trials != ahead {
			t.Errorf("of %d trials %+v is expected, of fewer %g", ahead, r, last)
		}
		last = r.Improvement
	}
	_, scaled := evaluated(t, doubles("a", "b"), 20, bowlOf(1024, 512)) // powers of 2, so that little is rounded
	was, is := mustRemain(t, p, trials[:20], 5), mustRemain(t, p, scaled, 5)
	if got, want := is.Improvement, 1024*was.Improvement; math.Abs(got-want) > 1e-6*want {
		t.Errorf("of losses 1024 times as large %g is expected, want %g", got, want)
	}
}

// TestRemainingIsRefused where there is nothing to say it by.
func TestRemainingIsRefused(t *testing.T) {
	p, trials := evaluated(t, doubles("a", "b"), 20, bowlOf(1, 0))
	same := slices.Clone(trials)
	for i := range same {
		same[i].Losses = []float64{7}
	}
	infeasible := slices.Clone(trials)
	for i := range infeasible {
		infeasible[i].Constraints = []float64{1}
	}
	constrained, several := p, p
	constrained.Constraints, several.Objectives = 1, 2
	for name, tt := range map[string]struct {
		p      algorithms.Problem
		trials []algorithms.Trial
	}{
		"no trials": {p, nil}, "few trials": {p, trials[:3]}, "equal losses": {p, same},
		"nothing feasible": {constrained, infeasible}, "several objectives": {several, trials},
	} {
		if got, err := GP().Remaining(tt.p, algorithms.Values{}, tt.trials, 5); err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
}

// TestGainIsTheExpectedImprovement compares the gain with the closed form where losses are not warped, so that one is the
// other in units of the loss. The 64 midpoints of the integral are the tolerance: the integrand's tail is cut at the middle of the
// last part, which is worth about a hundredth.
func TestGainIsTheExpectedImprovement(t *testing.T) {
	p, trials := evaluated(t, doubles("a", "b"), 12, bowlOf(3, 1))
	s := defaults(p)
	s.warp = false
	o := newOptimizer(p, s, 0)
	o.Tell(trials)
	o.model(300)
	o.assess()
	best := o.incumbent()
	out := o.outputs[0]
	// Scores are losses less their mean, by their deviation, with the sign turned.
	unit := (out.cleaned[0] - out.cleaned[1]) / (out.scores[1] - out.scores[0])
	for _, x := range [][]float64{{0.3, 0.6}, {0.5, 0.5}, {0.05, 0.9}, {0.9, 0.1}} {
		mean, variance := make([]float64, 1), make([]float64, 1)
		out.predict(x, mean, variance)
		sd := deviation(variance[0])
		h, _ := logH((mean[0] - best) / sd)
		want := unit * sd * elementary.Exp(h)
		if got := o.gain(x, best); math.Abs(got-want) > 0.02*want+1e-12 {
			t.Errorf("at %v a gain of %g, want %g", x, got, want)
		}
	}
}

// TestGainOfAConstraint: what is expected of a point counts as far as the constraint is likely to be kept there.
func TestGainOfAConstraint(t *testing.T) {
	p, trials := evaluated(t, doubles("a", "b"), 40, func(u []float64, r *rand.Rand) ([]float64, []float64) {
		losses, _ := bowlOf(1, 0)(u, r)
		return losses, []float64{u[0] - 0.5}
	})
	o := newOptimizer(p, defaults(p), 0)
	o.Tell(trials)
	o.model(300)
	o.assess()
	best := o.incumbent() - 1 // so that every point improves on it
	free := *o
	free.outputs = o.outputs[:1]
	for _, tt := range []struct {
		x    []float64
		kept float64
	}{{[]float64{0.2, 0.5}, 1}, {[]float64{0.8, 0.5}, 0}} {
		if got, want := o.gain(tt.x, best), tt.kept*free.gain(tt.x, best); math.Abs(got-want) > 0.01*free.gain(tt.x, best) {
			t.Errorf("at %v a gain of %g, want %g", tt.x, got, want)
		}
	}
}
