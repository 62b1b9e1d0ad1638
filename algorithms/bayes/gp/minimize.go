package gp

// Options limit a minimisation. Zero values mean the defaults.
type Options struct {
	Iterations int     // default 50
	Gradient   float64 // stop when no component of the projected gradient exceeds it; default 1e-5
	Decrease   float64 // stop when an iteration decreases the value by less, relative to max(1, |value|); default 1e-9
}

// Result is how a minimisation ended.
type Result struct {
	Value       float64
	Iterations  int
	Evaluations int
}

// Minimizer finds a local minimum in a box by projected L-BFGS (Nocedal 1980; Bertsekas 1982). It is
// deterministic. It keeps scratch space: it is not for concurrent use, and once warm does not
// allocate. The zero value is ready.
type Minimizer struct{}

// Minimize improves x, which it first moves into the box. f returns the value at a point and writes
// the gradient there; a value that is NaN counts as +Inf. Value is never above that of the start.
func (m *Minimizer) Minimize(f func(x, gradient []float64) float64, x, lower, upper []float64, o Options) Result {
	panic("gp: not yet")
}
