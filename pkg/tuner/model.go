package tuner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Model is what the algorithm of an experiment has learned, in the terms of the experiment: values
// are those of metrics, whatever is minimised.
type Model struct {
	Experiment string            `json:"experiment"`
	Algorithm  string            `json:"algorithm"`
	Trials     int               `json:"trials"` // that the model was made of
	At         []experiment.Pair `json:"at"`     // through which the slices go: of the best trial
	Outputs    []ModelOutput     `json:"outputs"`
	Promise    []ModelPromise    `json:"promise"` // where it would try next; empty when nothing is feasible
}

// ModelPromise rates the values of a slice: the logarithm of the improvement expected there, of which
// only differences mean something.
type ModelPromise struct {
	Name   string  `json:"name"`   // of the parameter
	Values []Value `json:"values"` // parallel to its slices
}

// ModelOutput is about an objective or a bound of a constraint.
type ModelOutput struct {
	Metric     string           `json:"metric"`
	Type       string           `json:"type,omitempty"` // minimize or maximize; "" for a constraint
	Max        *float64         `json:"max,omitempty"`  // of a constraint; or Min
	Min        *float64         `json:"min,omitempty"`
	Parameters []ModelParameter `json:"parameters"`
	Planes     []ModelPlane     `json:"planes"` // of those parameters that matter most
	LeftOut    LeftOut          `json:"leftOut"`
}

// ModelPlane is what the model expects over two parameters, all others as in At.
type ModelPlane struct {
	Parameters [2]string   `json:"parameters"`
	Values     [2][]string `json:"values"` // of each, as a trial gets them
	Bands      [][]Band    `json:"bands"`  // a row per value of the first parameter
}

// ModelParameter is how a metric depends on one parameter.
type ModelParameter struct {
	Name  string       `json:"name"`
	Alone Value        `json:"alone"` // share of the variance of the mean that it causes by itself, 0 to 1
	Total Value        `json:"total"` // the same with its interactions
	Slice []ModelPoint `json:"slice"` // empty when the parameter is not active in At
}

// ModelPoint is what the model expects at a value of a parameter, all others as in At.
type ModelPoint struct {
	Value string `json:"value"` // as a trial gets it
	Band
}

// Band is a prediction: its middle, and the ends of the range in which 95 % of values are expected.
type Band struct {
	Mean Value `json:"mean"`
	Low  Value `json:"low"`
	High Value `json:"high"`
}

// LeftOut says how well the model predicts trials that it does not know: each trial is compared with
// what the model made without it expects.
type LeftOut struct {
	Within      Value         `json:"within"`      // share of trials in their band; 0.95 when the model knows what it does not know
	Correlation Value         `json:"correlation"` // of the ranks of values and predictions (Spearman 1904); null with fewer than 3
	Chance      Value         `json:"chance"`      // the Correlation that predictions which know nothing exceed one time in twenty
	Predicts    bool          `json:"predicts"`    // Correlation is above Chance; until then the model is a guess
	Trials      []LeftOutCase `json:"trials"`
}

// LeftOutCase is one trial.
type LeftOutCase struct {
	Number uint64 `json:"number"`
	Value  Value  `json:"value"` // measured
	Band
	// Residual is how far the value is above what was expected, in standard deviations of the model.
	Residual Value `json:"residual"`
}

// Value is a number that is null in JSON when it is NaN or infinite.
type Value float64

// MarshalJSON writes the number.
func (v Value) MarshalJSON() ([]byte, error) {
	if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
		return json.Marshal(f)
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads the number; null is NaN.
func (v *Value) UnmarshalJSON(text []byte) error {
	*v = Value(math.NaN())
	if string(text) == "null" {
		return nil
	}
	return json.Unmarshal(text, (*float64)(v))
}

// models keeps the model of each experiment that was last asked for, for as long as no further trial
// has finished: making one takes seconds where there are hundreds of trials, and views ask often. Of one
// experiment a single model is made at a time, and no other experiment waits for it.
type models struct {
	mu     sync.Mutex               // never held while one is made
	of     map[string]keptModel     // by UID of the experiment
	making map[string]chan struct{} // by UID; closed once it is made
}

type keptModel struct {
	finished uint64 // FinishNo of the last trial that it is made of
	model    Model
}

// maxModels bounds the experiments whose models are kept.
const maxModels = 16

// get returns the model of an experiment, by its UID, which is made of so many finished trials at least. Who comes
// while it is made waits for it, no longer than its context lasts.
func (m *models) get(ctx context.Context, uid string, finished uint64, fit func() (Model, error)) (Model, error) {
	for {
		model, made, done := m.begin(uid, finished)
		switch {
		case made:
			return model, nil
		case done == nil:
			return m.make(uid, finished, fit)
		}
		select {
		case <-done: // it may be of fewer trials, or there is none: see again
		case <-ctx.Done():
			return Model{}, ctx.Err()
		}
	}
}

// begin returns the model where it is kept. Else done is closed once the one that somebody makes is there; where
// it is nil the caller must make it.
func (m *models) begin(uid string, finished uint64) (model Model, made bool, done <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.of[uid]; ok && k.finished >= finished {
		return k.model, true, nil
	}
	if done, ok := m.making[uid]; ok {
		return Model{}, false, done
	}
	if m.making == nil {
		m.making = map[string]chan struct{}{}
	}
	m.making[uid] = make(chan struct{})
	return Model{}, false, nil
}

// make makes a model and keeps it.
func (m *models) make(uid string, finished uint64, fit func() (Model, error)) (model Model, err error) {
	err = errors.New("the model was not made") // unless fit returns
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if err == nil {
			if m.of == nil || len(m.of) >= maxModels {
				m.of = map[string]keptModel{}
			}
			m.of[uid] = keptModel{finished, model}
		}
		close(m.making[uid])
		delete(m.making, uid)
	}()
	return fit()
}

// Model returns what the algorithm of an experiment, submitted or only stored, has learned from its
// trials so far. Others may have the same Model: it must not be changed. ErrNotFound; ErrInvalid as
// NewModel.
func (t *Tuner) Model(ctx context.Context, key experiment.Key) (Model, error) {
	s, err := t.Load(ctx, key)
	if err != nil {
		return Model{}, err
	}
	finished := uint64(0)
	for i := range s.Trials {
		finished = max(finished, s.Trials[i].FinishNo)
	}
	return t.models.get(ctx, s.Experiment.Metadata.UID, finished, func() (Model, error) {
		return NewModel(s.Experiment, s.Trials, t.Algorithms)
	})
}

// NewModel returns what the algorithm of an experiment makes of trials. ErrInvalid: it has no model,
// or there is too little to make one of.
func NewModel(e *experiment.Experiment, trials []experiment.Trial, registry *algorithms.Registry) (Model, error) {
	def, problem, values, err := chosen(e, registry)
	if err != nil {
		return Model{}, err
	}
	if def.Insight == nil {
		return Model{}, fmt.Errorf("algorithm %s has no model to show: %w", def.Name, store.ErrInvalid)
	}
	finished, err := convertAll(finishedSince(each(trials), 0), &e.Spec, problem)
	if err != nil {
		return Model{}, err
	}
	insight, err := insightOf(def, problem, values, finished)
	if err != nil {
		return Model{}, fmt.Errorf("look at the model of %s: %w: %w", def.Name, err, store.ErrInvalid)
	}
	m := Model{Experiment: e.Key().String(), Algorithm: def.Name, Trials: insight.Trials, At: problem.Space.Format(insight.At)}
	for i, view := range views(&e.Spec) {
		m.Outputs = append(m.Outputs, view.output(&insight, &insight.Outputs[i], problem.Space))
	}
	m.Promise = []ModelPromise{}
	for i, ratings := range insight.Promise {
		p := ModelPromise{Name: problem.Space.Parameters()[i].Name, Values: make([]Value, len(ratings))}
		for k, rating := range ratings {
			p.Values[k] = Value(rating)
		}
		m.Promise = append(m.Promise, p)
	}
	return m, nil
}

// insightOf asks an algorithm, whose faults are no faults of the daemon.
func insightOf(def algorithms.Definition, p algorithms.Problem, v algorithms.Values, finished []algorithms.Trial) (out algorithms.Insight, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("algorithm %s panicked: %v", def.Name, r)
		}
	}()
	out, err = def.Insight(p, v, finished)
	if err == nil && (len(out.Outputs) != p.Objectives+p.Constraints || len(out.At) != p.Space.Len()) {
		err = fmt.Errorf("algorithm %s answered %d outputs at a point of %d values, want %d and %d",
			def.Name, len(out.Outputs), len(out.At), p.Objectives+p.Constraints, p.Space.Len())
	}
	return out, err
}

// view turns losses and excesses back into a metric's values: sign times one, plus offset.
type view struct {
	ModelOutput
	sign, offset float64
}

// views returns one view per objective and bound, in the order of Spec.Losses and Spec.Excess.
func views(s *experiment.Spec) (out []view) {
	for _, o := range s.Objectives() {
		sign := (&experiment.Objective{Type: o.Type}).Loss(1)
		out = append(out, view{ModelOutput{Metric: o.MetricName, Type: o.Type}, sign, 0})
	}
	for _, c := range s.Constraints() {
		if c.Max != nil {
			out = append(out, view{ModelOutput{Metric: c.MetricName, Max: c.Max}, 1, *c.Max})
		}
		if c.Min != nil {
			out = append(out, view{ModelOutput{Metric: c.MetricName, Min: c.Min}, -1, *c.Min})
		}
	}
	return out
}

func (v *view) value(x float64) Value { return Value(v.sign*x + v.offset) }

func (v *view) band(b algorithms.Band) Band {
	out := Band{Mean: v.value(b.Mean), Low: v.value(b.Low), High: v.value(b.High)}
	if v.sign < 0 {
		out.Low, out.High = out.High, out.Low
	}
	return out
}

func (v *view) output(insight *algorithms.Insight, o *algorithms.OutputInsight, space *searchspace.Space) ModelOutput {
	out := v.ModelOutput
	out.Planes = []ModelPlane{}
	params := space.Parameters()
	for i, p := range params {
		m := ModelParameter{Name: p.Name, Alone: Value(o.Importance[i].Alone), Total: Value(o.Importance[i].Total), Slice: []ModelPoint{}}
		for _, s := range o.Slices[i] {
			m.Slice = append(m.Slice, ModelPoint{valueText(space, insight.At, i, s.Value), v.band(s.Band)})
		}
		out.Parameters = append(out.Parameters, m)
	}
	for _, plane := range o.Planes {
		m := ModelPlane{}
		for side, i := range plane.Parameters {
			m.Parameters[side] = params[i].Name
			for _, x := range plane.Values[side] {
				m.Values[side] = append(m.Values[side], valueText(space, insight.At, i, x))
			}
		}
		for _, row := range plane.Bands {
			bands := make([]Band, len(row))
			for k, b := range row {
				bands[k] = v.band(b)
			}
			m.Bands = append(m.Bands, bands)
		}
		out.Planes = append(out.Planes, m)
	}
	out.LeftOut = v.leftOut(o.LeftOut)
	return out
}

// valueText returns the text of a value of parameter i, with the others as in a point.
func valueText(space *searchspace.Space, at searchspace.Point, i int, value float64) string {
	at = slices.Clone(at)
	at[i] = value
	name := space.Parameters()[i].Name
	for _, pair := range space.Format(at) {
		if pair.Name == name {
			return pair.Value
		}
	}
	return ""
}

func (v *view) leftOut(cases []algorithms.LeftOut) LeftOut {
	out := LeftOut{Within: Value(math.NaN()), Trials: []LeftOutCase{}}
	within := 0
	var values, means []float64
	for _, c := range cases {
		if c.Low <= c.Value && c.Value <= c.High {
			within++
		}
		values, means = append(values, c.Value), append(means, c.Mean)
		out.Trials = append(out.Trials, LeftOutCase{c.ID, v.value(c.Value), v.band(c.Band), Value(v.sign * c.Residual)})
	}
	if len(cases) > 0 {
		out.Within = Value(float64(within) / float64(len(cases)))
	}
	out.Correlation, out.Chance = Value(rankCorrelation(values, means)), Value(chance(len(cases)))
	out.Predicts = out.Correlation > out.Chance
	return out
}

// chance returns the 95th percentile of the rank correlation of n pairs without relation: it has mean 0
// and variance 1/(n-1), and is about normal (Kendall 1948, Rank correlation methods). Above 1 nothing is
// ever shown. NaN without any pair.
func chance(n int) float64 {
	const z = 1.6448536269514722 // Phi(z) = 0.95
	return z / math.Sqrt(float64(n-1))
}

// rankCorrelation is Pearson's correlation of the ranks of a and b; equal values share their mean
// rank. NaN with fewer than 3, or when all are equal.
func rankCorrelation(a, b []float64) float64 {
	n := float64(len(a))
	if n < 3 {
		return math.NaN()
	}
	x, y := ranks(a), ranks(b)
	xy, xx, yy, middle := 0.0, 0.0, 0.0, (n-1)/2
	for i := range x {
		xy += (x[i] - middle) * (y[i] - middle)
		xx += (x[i] - middle) * (x[i] - middle)
		yy += (y[i] - middle) * (y[i] - middle)
	}
	return xy / math.Sqrt(xx*yy)
}

// ranks returns the rank of each value, from 0.
func ranks(values []float64) []float64 {
	sorted := slices.Sorted(slices.Values(values))
	out := make([]float64, len(values))
	for i, v := range values {
		first, _ := slices.BinarySearch(sorted, v)
		last := first
		for last+1 < len(sorted) && sorted[last+1] == v {
			last++
		}
		out[i] = float64(first+last) / 2
	}
	return out
}
