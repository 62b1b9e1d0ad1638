package gp

import "math"

// Options limit a minimisation. Zero values mean the defaults.
type Options struct {
	Iterations int     // default 50
	Gradient   float64 // stop when no component of the projected gradient exceeds it; default 1e-5
	Decrease   float64 // stop when an iteration gains less than this times max(1, |value|); default 1e-9
}

func (o Options) withDefaults() Options {
	if o.Iterations == 0 {
		o.Iterations = 50
	}
	if o.Gradient == 0 {
		o.Gradient = 1e-5
	}
	if o.Decrease == 0 {
		o.Decrease = 1e-9
	}
	return o
}

// Result is how a minimisation ended.
type Result struct {
	Value       float64
	Iterations  int
	Evaluations int
}

// Func returns the value at x and writes the gradient there.
type Func func(x, gradient []float64) float64

const (
	memory         = 8     // steps that are remembered
	leastCurvature = 1e-12 // below it, of what the gradient changed, a step tells nothing
)

// Minimizer finds a local minimum in a box by projected L-BFGS: the two-loop recursion (Nocedal 1980)
// over the coordinates that are free to move, and a search along the projected path (Bertsekas 1982).
// It is deterministic. It keeps scratch space: it is not for concurrent use, and once warm does not
// allocate. The zero value is ready.
type Minimizer struct {
	g, d, next, nextG []float64
	s, y              [memory][]float64
	pairs             int   // how many were stored since the last reset
	free              []int // coordinates that are not blocked
}

// Minimize improves x, which it first moves into the box. A value that is not finite counts as +Inf.
// The value is never above that of the start.
func (m *Minimizer) Minimize(f Func, x, lower, upper []float64, o Options) Result {
	o = o.withDefaults()
	m.prepare(len(x))
	project(x, x, nil, 0, lower, upper)
	r := Result{Value: value(f(x, m.g)), Evaluations: 1}
	for r.Iterations < o.Iterations && !math.IsInf(r.Value, 1) {
		if m.projectedGradient(x, lower, upper) <= o.Gradient {
			break
		}
		before := r.Value
		if !m.step(f, x, lower, upper, &r) {
			if m.pairs == 0 {
				break
			}
			m.pairs = 0 // what was remembered may mislead: start again downhill
			continue
		}
		r.Iterations++
		if before-r.Value <= o.Decrease*max(1, math.Abs(before)) {
			break
		}
	}
	return r
}

func (m *Minimizer) prepare(n int) {
	m.pairs = 0
	if len(m.g) == n {
		return
	}
	for _, v := range []*[]float64{&m.g, &m.d, &m.next, &m.nextG} {
		*v = make([]float64, n)
	}
	for i := range memory {
		m.s[i], m.y[i] = make([]float64, n), make([]float64, n)
	}
}

// value counts what is not finite as +Inf.
func value(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, -1) {
		return math.Inf(1)
	}
	return v
}

// project writes x + t d, moved into the box.
func project(to, x, d []float64, t float64, lower, upper []float64) {
	for i := range to {
		v := x[i]
		if d != nil {
			v = math.FMA(t, d[i], v)
		}
		to[i] = min(max(v, lower[i]), upper[i])
	}
}

// blocked reports whether the gradient pushes coordinate i out of the box, at whose edge it is.
func blocked(x, g, lower, upper []float64, i int) bool {
	return x[i] <= lower[i] && g[i] >= 0 || x[i] >= upper[i] && g[i] <= 0
}

// projectedGradient returns the greatest component of the gradient that is not blocked.
func (m *Minimizer) projectedGradient(x, lower, upper []float64) float64 {
	var most float64
	for i, g := range m.g {
		if !blocked(x, m.g, lower, upper, i) {
			most = max(most, math.Abs(g))
		}
	}
	return most
}

// step moves x to a better point in the direction of descent, and reports whether it found one.
func (m *Minimizer) step(f Func, x, lower, upper []float64, r *Result) bool {
	const (
		armijo = 1e-4 // least gain, of what the gradient promises
		trials = 20
	)
	m.direction(x, lower, upper)
	t := 1.0
	for range trials {
		project(m.next, x, m.d, t, lower, upper)
		var promise float64
		for i, g := range m.g {
			promise = math.FMA(g, m.next[i]-x[i], promise)
		}
		if promise >= 0 {
			return false
		}
		v := value(f(m.next, m.nextG))
		r.Evaluations++
		if v <= r.Value+float64(armijo*promise) {
			m.remember(x)
			copy(x, m.next)
			m.g, m.nextG = m.nextG, m.g
			r.Value = v
			return true
		}
		// The least of the parabola through both values and the slope, within a tenth and a half.
		t *= min(max(-promise/(2*(v-r.Value-promise)), 0.1), 0.5)
	}
	return false
}

// remember stores the step from x to next.
func (m *Minimizer) remember(x []float64) {
	s, y := m.s[m.pairs%memory], m.y[m.pairs%memory]
	for i := range s {
		s[i], y[i] = m.next[i]-x[i], m.nextG[i]-m.g[i]
	}
	m.pairs++
}

// direction writes the direction of descent: -H g over the coordinates that are not blocked, H from
// what the steps remembered tell of these. Without any it is -g, at most 1 long.
func (m *Minimizer) direction(x, lower, upper []float64) {
	m.free = m.free[:0]
	for i, g := range m.g {
		m.d[i] = 0
		if !blocked(x, m.g, lower, upper, i) {
			m.free, m.d[i] = append(m.free, i), -g
		}
	}
	scale := 1 / max(1, math.Sqrt(m.inner(m.d, m.d)))
	var a, curvature [memory]float64
	oldest := max(0, m.pairs-memory)
	for p := m.pairs - 1; p >= oldest; p-- {
		k := p % memory
		sy, yy := m.inner(m.s[k], m.y[k]), m.inner(m.y[k], m.y[k])
		if sy <= leastCurvature*yy {
			continue
		}
		if curvature == [memory]float64{} { // of the newest
			scale = sy / yy
		}
		curvature[k] = sy
		a[k] = m.inner(m.s[k], m.d) / sy
		m.add(-a[k], m.y[k])
	}
	for _, i := range m.free {
		m.d[i] *= scale
	}
	for p := oldest; p < m.pairs; p++ {
		if k := p % memory; curvature[k] > 0 {
			m.add(a[k]-m.inner(m.y[k], m.d)/curvature[k], m.s[k])
		}
	}
}

// inner returns the inner product over the free coordinates.
func (m *Minimizer) inner(a, b []float64) (sum float64) {
	for _, i := range m.free {
		sum = math.FMA(a[i], b[i], sum)
	}
	return sum
}

// add adds f v to the free coordinates of the direction.
func (m *Minimizer) add(f float64, v []float64) {
	for _, i := range m.free {
		m.d[i] = math.FMA(f, v[i], m.d[i])
	}
}
