// Package searchspace holds the space an experiment searches: its parameters, their
// distributions, steps and conditions, and the one coding of it to the unit cube and back
// that every algorithm uses.
package searchspace

// Kind is what a parameter's values are.
type Kind uint8

// The kinds of parameter, as Katib names them.
const (
	Double      Kind = iota + 1 // real numbers in [Min, Max]
	Int                         // whole numbers in [Min, Max]
	Discrete                    // numbers of a list, in ascending order
	Categorical                 // labels of a list, without order
)

// String returns the kind as Katib spells it.
func (k Kind) String() string {
	return [...]string{"unknown", "double", "int", "discrete", "categorical"}[k%(Categorical+1)]
}

// Distribution is the prior of a Double or Int parameter.
type Distribution uint8

// The distributions, as Katib names them. Normal has mean (Min+Max)/2 and standard deviation
// (Max-Min)/6, truncated to [Min, Max]; LogNormal is the same in the logarithm of the value.
const (
	Uniform Distribution = iota
	LogUniform
	Normal
	LogNormal
)

// Parameter is one dimension of a Space.
type Parameter struct {
	Name         string
	Kind         Kind
	Distribution Distribution // Double and Int only
	Min, Max     float64      // Double and Int only; both ends included
	Step         float64      // grid Min, Min+Step, ... up to Max; 0 means continuous (Double) or 1 (Int)
	Values       []string     // Discrete and Categorical only: the text of each value as written
	Numbers      []float64    // Discrete only: Values as numbers, ascending; parallel to Values
	ActiveWhen   *Condition   // nil means always active
}

// Condition makes a parameter active only while its parent is active and has one of Values.
type Condition struct {
	Parent string   // name of a Discrete, Categorical or Int parameter declared earlier or later
	Values []string // the parent's values, as text
}

// Point is one point of a Space: one coordinate per parameter, in the Space's order.
// A Double, Int or Discrete coordinate is the number itself, a Categorical one the index into
// Values. NaN marks a parameter that is not active at this point.
type Point []float64

// Assignment is a Point as text, the form in which it reaches a trial: active parameters only,
// in the Space's order.
type Assignment []Pair

// Pair is one parameter's name and the text of its value.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
