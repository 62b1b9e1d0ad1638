package algorithms

import "github.com/tuned-hpo/tuned/pkg/searchspace"

// Insight is what an algorithm's model makes of trials, for people to look at. All values are in the
// units of Trial.Losses and Trial.Constraints.
type Insight struct {
	Trials  int               // that the model was made of
	At      searchspace.Point // through which the slices go: of the best trial
	Outputs []OutputInsight   // one per objective, then one per constraint
	// Promise is parallel to the slices of every output: the logarithm of the expected improvement on
	// the best trials so far, of which only differences mean something. Nil when nothing is feasible.
	Promise [][]float64
}

// OutputInsight is about one objective or one constraint.
type OutputInsight struct {
	Importance []Importance // one per parameter of the space
	Slices     [][]Slice    // one list per parameter, by ascending value or in the list's order; empty where the parameter is not active
	Planes     []Plane      // of the parameters that matter most; those that are not active have none
	LeftOut    []LeftOut    // one per trial of the model that has a value, in the order in which they finished
}

// Importance is how much a parameter matters to the model's mean, as shares of its variance over the
// space, 0 to 1.
type Importance struct {
	Alone float64 // by itself
	Total float64 // with its interactions
}

// Slice is the model's prediction at a value of one parameter, all others as in Insight.At.
type Slice struct {
	Value float64 // as in a Point
	Band
}

// Plane is the model's prediction over two parameters, all others as in Insight.At.
type Plane struct {
	Parameters [2]int       // positions in the space
	Values     [2][]float64 // of each, as in a Point
	Bands      [][]Band     // a row per value of the first, a column per value of the second
}

// Band is a prediction: the middle of what the model expects, and the ends of the range in which it
// expects 95 % of values.
type Band struct{ Mean, Low, High float64 }

// LeftOut compares what a trial measured with what the model, made without it, expected there.
type LeftOut struct {
	ID    uint64
	Value float64
	Band
	// Residual is the difference of value and expectation in standard deviations, on the scale on which
	// the model is made: normal with mean 0 and variance 1 when the model is right about itself.
	Residual float64
}
