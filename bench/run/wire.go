package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// wireParameter is a parameter as the line protocol writes it.
type wireParameter struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	Min     *float64  `json:"min,omitempty"`
	Max     *float64  `json:"max,omitempty"`
	Step    float64   `json:"step,omitempty"`
	Log     bool      `json:"log,omitempty"`
	Numbers []float64 `json:"numbers,omitempty"`
	Values  []string  `json:"values,omitempty"`
	Parent  string    `json:"parent,omitempty"`
	When    []any     `json:"when,omitempty"` // labels or numbers
}

// describe writes a space for peers.
func describe(space *searchspace.Space) ([]wireParameter, error) {
	var out []wireParameter
	for _, p := range parentsFirst(space) {
		w := wireParameter{Name: p.Name, Kind: p.Kind.String()}
		switch p.Kind {
		case searchspace.Double, searchspace.Int:
			if p.Distribution > searchspace.LogUniform {
				return nil, fmt.Errorf("%w: parameter %s: the protocol has no normal distributions", ErrUnsupported, p.Name)
			}
			w.Min, w.Max, w.Step, w.Log = &p.Min, &p.Max, p.Step, p.Distribution == searchspace.LogUniform
			if p.Kind == searchspace.Int && w.Step == 0 {
				w.Step = 1
			}
		case searchspace.Discrete:
			w.Numbers = p.Numbers
		case searchspace.Categorical:
			w.Values = p.Values
		}
		if p.ActiveWhen != nil {
			w.Parent, w.When = p.ActiveWhen.Parent, when(space, p.ActiveWhen)
		}
		out = append(out, w)
	}
	return out, nil
}

// parentsFirst returns the parameters, each parent before its children.
func parentsFirst(space *searchspace.Space) []searchspace.Parameter {
	params := space.Parameters()
	out := make([]searchspace.Parameter, 0, len(params))
	placed := make(map[string]bool, len(params))
	for len(out) < len(params) { // a round places at least one: the space has no cycles
		for _, p := range params {
			if !placed[p.Name] && (p.ActiveWhen == nil || placed[p.ActiveWhen.Parent]) {
				placed[p.Name] = true
				out = append(out, p)
			}
		}
	}
	return out
}

// when returns the values of a condition as they stand in a point on the wire.
func when(space *searchspace.Space, c *searchspace.Condition) []any {
	i, _ := space.Index(c.Parent)
	parent := space.Parameters()[i]
	out := make([]any, len(c.Values))
	for k, text := range c.Values {
		out[k] = text
		if parent.Kind != searchspace.Categorical {
			out[k] = json.Number(text)
		}
	}
	return out
}

// pointOf reads a peer's point.
func pointOf(space *searchspace.Space, values map[string]any) (searchspace.Point, error) {
	params := space.Parameters()
	point := make(searchspace.Point, len(params))
	for i, p := range params {
		v, given := values[p.Name]
		if !given {
			point[i] = math.NaN()
			continue
		}
		var err error
		if point[i], err = coordinate(p, v); err != nil {
			return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
	}
	for name := range values {
		if _, ok := space.Index(name); !ok {
			return nil, fmt.Errorf("the point has a parameter %q, which the space has not", name)
		}
	}
	return snap(space, point)
}

func coordinate(p searchspace.Parameter, v any) (float64, error) {
	switch v := v.(type) {
	case float64:
		if p.Kind != searchspace.Categorical {
			return v, nil
		}
	case string:
		if k := slices.Index(p.Values, v); k >= 0 && p.Kind == searchspace.Categorical {
			return float64(k), nil
		}
	}
	return 0, fmt.Errorf("%v is no value of a %s parameter", v, p.Kind)
}

// snap puts a point onto the grids and into the ranges of the space if it is off by no more than
// the rounding of another library.
func snap(space *searchspace.Space, p searchspace.Point) (searchspace.Point, error) {
	fault := space.Contains(p)
	if fault == nil {
		return p, nil
	}
	const rounding = 1e-9 // relative to the value; grids are much wider
	near := space.Decode(space.Encode(p))
	for i := range p {
		if math.IsNaN(p[i]) != math.IsNaN(near[i]) || math.Abs(p[i]-near[i]) > rounding*max(1, math.Abs(p[i])) {
			return nil, errors.Join(errors.New("the point is not in the space"), fault)
		}
	}
	return near, space.Contains(near)
}

// tail keeps the last of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	const most = 2000
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	t.kept = t.kept[max(0, len(t.kept)-most):]
	return len(b), nil
}

// text is what was kept, as the end of a message.
func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.kept) == 0 {
		return ""
	}
	return "; its last words:\n" + string(t.kept)
}
