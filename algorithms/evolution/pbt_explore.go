package evolution

import (
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// explorer changes the parameters of a trial a little (Jaderberg et al. 2017, section 4.1.1: perturb or
// resample). It is a function of the seed and the trial's ID.
type explorer struct {
	space    *searchspace.Space
	axes     []variable
	resample float64 // probability that a parameter is drawn anew
	seed     uint64
	random   draws
	anew     sampling.Draws
	p        searchspace.Point // scratch
}

// variable is a parameter by itself.
type variable struct {
	searchspace.Parameter
	alone *searchspace.Space
	least float64 // that a number changes by
}

func newExplorer(space *searchspace.Space, resample float64, seed uint64) *explorer {
	e := &explorer{space: space, resample: resample, seed: seed, anew: sampling.NewDraws(space, seed)}
	for _, p := range space.Parameters() {
		p.ActiveWhen = nil
		alone, err := searchspace.New([]searchspace.Parameter{p})
		if err != nil {
			panic(err) // it is a parameter of a checked space
		}
		e.axes = append(e.axes, variable{p, alone, leastChange(p)})
	}
	return e
}

// leastChange is a step, or a hundredth of a range that holds 0, where a fifth of the value may be nothing.
func leastChange(p searchspace.Parameter) float64 {
	switch {
	case p.Step > 0:
		return p.Step
	case p.Kind == searchspace.Int:
		return 1
	case p.Min <= 0 && p.Max >= 0:
		return p.Max/100 - p.Min/100
	}
	return 0
}

// begin starts the stream of a trial.
func (e *explorer) begin(id uint64) {
	const stream = 0x6578706c6f7265 // apart from what else is drawn for the trial
	e.random.Seed(e.seed^stream, id)
	e.anew.Begin(id)
}

// vary returns a point like p. Each parameter changes: it is drawn anew, or moves a little.
func (e *explorer) vary(p searchspace.Point) searchspace.Point {
	e.p = append(e.p[:0], p...)
	for i := range e.axes {
		if v := &e.axes[i]; !math.IsNaN(p[i]) {
			e.p[i] = v.move(p[i], &e.random)
		}
	}
	u := e.space.Encode(e.p)
	for i := range u {
		// One that was not active has no value to keep.
		if fresh := e.random.unit(); e.random.unit() < e.resample || math.IsNaN(p[i]) {
			u[i] = fresh
		}
	}
	return e.space.Decode(u)
}

// apart returns the point, or, where a pending trial has it, one like another point that none has.
func (e *explorer) apart(point, like searchspace.Point, busy *sampling.Visits) searchspace.Point {
	const tries = 20
	for range tries {
		if busy.IsNew(point) {
			return point
		}
		point = e.vary(like)
	}
	return busy.Next(e.anew.Point(), &e.anew)
}

// move returns another value near v: the next one of a list, another label, or 0.8 or 1.2 times a number, the
// paper's factors, which on a logarithmic scale are steps of one length wherever they begin.
func (a *variable) move(v float64, random *draws) float64 {
	up := random.unit() < 0.5
	if a.Kind == searchspace.Categorical {
		others := len(a.Values) - 1
		if others == 0 {
			return v
		}
		return float64((int(v) + 1 + int(random.unit()*float64(others))) % len(a.Values))
	}
	if next := a.next(v, up); next != v {
		return next
	}
	return a.next(v, !up) // it was at the end
}

// next returns the next value in a direction, v itself at the end.
func (a *variable) next(v float64, up bool) float64 {
	if a.Kind == searchspace.Discrete {
		at, _ := slices.BinarySearch(a.Numbers, v)
		if up {
			return a.Numbers[min(at+1, len(a.Numbers)-1)]
		}
		return a.Numbers[max(at-1, 0)]
	}
	by := max(float64(math.Abs(v)*0.2), a.least)
	if !up {
		by = -by
	}
	near := searchspace.Point{max(a.Min, min(v+by, a.Max))}
	return a.alone.Decode(a.alone.Encode(near))[0]
}
