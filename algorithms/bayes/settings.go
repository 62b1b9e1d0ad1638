package bayes

import (
	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/bayes/gp"
)

// settings are those of the Gaussian-process optimizer.
type settings struct {
	initial     int // points before the model is used
	acquisition choiceOf
	mix         float64 // share of upper bounds in the mix
	beta        float64
	trust       bool // whether there is a region of trust
	warp        bool // whether losses are warped
	spread      int  // candidates over the space
	about       int  // candidates about promising points
	starts      int  // candidates that are improved
	inputWarp   bool
	linear      bool
	dev         algorithms.Values
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
		initial: 5, mix: 0.65, beta: 1.8, trust: true, warp: true,
		spread: 300, about: 300, starts: 5,
	}
	if p.MaxTrials > 0 {
		s.initial = max(3, min(5, p.MaxTrials/6))
	}
	if p.Constraints > 0 {
		// An upper bound hardly differs along the edge of what is feasible, where the optimum often is.
		s.mix = 0.3
	}
	return s
}

// read returns the settings of GP.
func read(p algorithms.Problem, v algorithms.Values) settings {
	s := defaults(p)
	s.initial = int(v.Int("initial_points", int64(s.initial)))
	s.acquisition = map[string]choiceOf{"ucb": alwaysUCB, "ei": alwaysEI}[v.Text("acquisition", "mix")]
	s.beta = v.Float("ucb_beta", s.beta)
	s.trust, s.warp = boolean(v, "trust_region", s.trust), boolean(v, "warp", s.warp)
	s.dev = v
	s.mix = v.Float("mix", s.mix)
	s.spread, s.about, s.starts = int(v.Int("spread", int64(s.spread))), int(v.Int("about", int64(s.about))), int(v.Int("starts", int64(s.starts)))
	s.inputWarp, s.linear = boolean(v, "input_warp", false), boolean(v, "linear", false)
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

// config describes the model of a space.
func (s settings) config(e *encoding) gp.Config {
	dims := make([]gp.Dimension, len(e.axes))
	for i, a := range e.axes {
		dims[i] = gp.Dimension{Categorical: a.labels, Conditional: a.parent >= 0}
	}
	c := gp.Default(dims)
	c.Warp, c.Linear = s.inputWarp, s.linear
	return c
}
