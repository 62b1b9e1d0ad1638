package bayes

import (
	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/bayes/gp"
)

// settings are those of the Gaussian-process optimizer.
type settings struct {
	initial               int // points before the model is used
	acquisition           string
	mix                   float64 // share of upper bounds in the mix
	beta                  float64
	trust                 bool
	warp                  bool // outputs
	spread, about, starts int
	inputWarp, linear     bool
	dev                   algorithms.Values
}

func read(p algorithms.Problem, v algorithms.Values) settings {
	initial := 5
	if p.MaxTrials > 0 {
		initial = max(3, min(5, p.MaxTrials/6))
	}
	flag := func(name string, otherwise bool) bool {
		if b, ok := v[name].(bool); ok {
			return b
		}
		return otherwise
	}
	return settings{
		initial: int(v.Int("initial_points", int64(initial))), acquisition: v.Text("acquisition", "mix"), mix: v.Float("mix", 0.65),
		beta: v.Float("ucb_beta", 1.8), trust: flag("trust_region", true), warp: flag("warp", true),
		spread: int(v.Int("spread", 300)), about: int(v.Int("about", 300)), starts: int(v.Int("starts", 5)),
		inputWarp: flag("input_warp", false), linear: flag("linear", false), dev: v,
	}
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
