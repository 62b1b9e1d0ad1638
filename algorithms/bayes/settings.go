package bayes

import (
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/bayes/gp"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// settings are those of the Gaussian-process optimizer. bench/ablations.md has the figures behind the
// defaults.
type settings struct {
	initial     int // points before the model is used
	acquisition choiceOf
	beta        float64 // standard deviations in the upper bound
	explore     float64 // final share of exploration while trials are pending
	bounds      float64 // final share of upper bounds in the mix
	ramp        float64 // trials per dimension until the share is final
	radius      float64 // of the region of trust; +Inf for none
	growth      float64 // of the radius, by trials/(5(d+1))
	warp        bool    // whether losses are warped
	skew        float64 // standard deviation of the weights of coordinates in others; 0 for none
	inputWarp   bool    // whether the axes of numbers are warped; then there is no skew
	linear      bool    // whether the model has a linear term
	valleys     float64 // share of optima of a quadratic function near the best trial
	spread      int     // candidates over the space
	about       int     // candidates about promising points
	starts      int     // candidates that are improved
}

// choiceOf is how the acquisition function is chosen.
type choiceOf uint8

const (
	mixed choiceOf = iota
	alwaysUCB
	alwaysEI
	alwaysPI
)

// defaults are the settings when a user gives none.
func defaults(p algorithms.Problem) settings {
	s := settings{
		initial: 3, beta: 1.8, bounds: 0.8, ramp: 6, radius: 0.15, growth: 0.1, warp: true, skew: 0.5, valleys: 0.3,
		spread: 300, about: 300, starts: 5,
	}
	if p.Objectives > 1 || p.Constraints > 0 {
		// Fronts and feasible parts are not all about one place.
		s.radius, s.growth = 0.2, 0.3
	} else {
		// What a model says between levels is worth less than between numbers: there more must be tried. So
		// with a batch, of which the trials tell most of a smooth function where it is least known.
		smooth := smoothness(p.Space)
		s.beta -= float64(1.1 * smooth)
		s.explore = float64(0.8 * smooth)
	}
	if isConditional(p.Space) {
		s.initial = 8 // to see more than one branch of the tree
		if p.MaxTrials > 0 {
			s.initial = max(3, min(s.initial, p.MaxTrials/4))
		}
	}
	if p.Constraints > 0 {
		// An upper bound hardly differs along the edge of what is feasible, where the optimum often is.
		s.bounds = 0.3
	}
	return s
}

// smoothness is the share of parameters that are numbers in fine steps.
func smoothness(space *searchspace.Space) float64 {
	params, smooth := space.Parameters(), 0.0
	for _, p := range params {
		if a := newAxis(p); a.smooth() {
			smooth += 1 / float64(len(params))
		}
	}
	return smooth
}

func isConditional(space *searchspace.Space) bool {
	return slices.ContainsFunc(space.Parameters(), func(p searchspace.Parameter) bool { return p.ActiveWhen != nil })
}

// read returns the settings of GP.
func read(p algorithms.Problem, v algorithms.Values) settings {
	s := defaults(p)
	s.initial = int(v.Int("initial_points", int64(s.initial)))
	s.acquisition = map[string]choiceOf{"ucb": alwaysUCB, "ei": alwaysEI}[v.Text("acquisition", "mix")]
	s.beta = v.Float("ucb_beta", s.beta)
	if !boolean(v, "trust_region", true) {
		s.radius = math.Inf(1)
	}
	if !boolean(v, "correlations", true) {
		s.skew = 0
	}
	s.warp = boolean(v, "warp", s.warp)
	if !boolean(v, "quadratic", true) {
		s.valleys = 0
	}
	s.inputWarp, s.linear = boolean(v, "input_warping", false), boolean(v, "linear", false)
	return s
}

// readKatib returns the settings of BayesianOptimization.
func readKatib(p algorithms.Problem, v algorithms.Values) settings {
	s := defaults(p)
	s.initial = int(v.Int("n_initial_points", int64(s.initial)))
	s.acquisition = map[string]choiceOf{"LCB": alwaysUCB, "EI": alwaysEI, "EIps": alwaysEI, "PI": alwaysPI, "PIps": alwaysPI}[v.Text("acq_func", "gp_hedge")]
	if v.Text("acq_optimizer", "auto") == "sampling" {
		s.starts = 0
	}
	return s
}

func boolean(v algorithms.Values, name string, otherwise bool) bool {
	if b, ok := v[name].(bool); ok {
		return b
	}
	return otherwise
}

// models returns the model of a space with independent axes, and that with skew, which has the same
// hyperparameters and then the weights.
func (s settings) models(e *encoding) (plain, skewed *gp.Model) {
	// Beyond, the weights are too many to learn and to carry in memos.
	const most = 12 // axes
	dims := make([]gp.Dimension, len(e.axes))
	for i, a := range e.axes {
		dims[i] = gp.Dimension{Categorical: a.labels, Conditional: a.parent >= 0}
	}
	c := gp.Default(dims)
	c.Warp, c.Linear = s.inputWarp, s.linear
	plain = gp.New(c)
	if s.skew == 0 || s.inputWarp || len(dims) > most {
		return plain, plain
	}
	c.Skew = s.skew
	return plain, gp.New(c)
}
