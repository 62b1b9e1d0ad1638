package run

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// resource is the name of the parameter that algorithms of several levels deal out.
const resource = "epochs"

// BuiltinTrainer returns the entry of a built-in algorithm that deals out epochs, such as "asha", or of one that does not
// with an early-stopping rule, such as "tpe+successivehalving:reduction_factor=3".
func BuiltinTrainer(text string) (Entry, error) {
	algorithm, rule, ruled := strings.Cut(text, "+")
	def, raw, err := lookup(algorithm)
	if err != nil {
		return Entry{}, err
	}
	t := trainer{def: def, raw: raw, deals: slices.ContainsFunc(def.Settings, func(s algorithms.Setting) bool { return s.Name == "resource_name" })}
	if ruled {
		if t.rule, t.ruleValues, err = lookupRule(rule); err != nil {
			return Entry{}, err
		}
	}
	if _, err := t.values(1); err != nil {
		return Entry{}, err
	}
	version, err := build()
	if err != nil {
		return Entry{}, err
	}
	train := func() (Trainer, error) {
		fresh := t
		return &fresh, nil
	}
	return Entry{Name: text, Version: version, Ours: true, Train: train}, nil
}

func lookupRule(text string) (def algorithms.PrunerDefinition, v algorithms.Values, err error) {
	name, raw, err := cutSettings("early stopping rule", text)
	if err != nil {
		return def, nil, err
	}
	if def, err = builtin.Pruners().Lookup(name); err != nil {
		return def, nil, err
	}
	v, err = algorithms.ParsePruner(def, raw)
	return def, v, err
}

// trainer is a built-in algorithm.
type trainer struct {
	def        algorithms.Definition
	raw        []algorithms.RawSetting
	deals      bool                        // whether the algorithm deals out epochs
	rule       algorithms.PrunerDefinition // without a New: there is none
	ruleValues algorithms.Values

	epochs    int
	suggester algorithms.Suggester
	pruner    algorithms.Pruner
	running   []algorithms.Trial // by ID
	finished  []algorithms.Trial
}

// values are the settings for a training of so many epochs.
func (t *trainer) values(epochs int) (algorithms.Values, error) {
	raw := t.raw
	if t.deals {
		raw = append([]algorithms.RawSetting{{Name: "resource_name", Value: resource}, {Name: "r_l", Value: strconv.Itoa(epochs)}}, raw...)
	}
	return algorithms.Parse(t.def, raw, "")
}

func (t *trainer) Start(task Task) error {
	t.epochs, t.running, t.finished = task.Problem.Curve.Epochs, nil, nil
	values, err := t.values(t.epochs)
	if err != nil {
		return err
	}
	params := task.Problem.Space.Parameters()
	if t.deals {
		params = append(params, searchspace.Parameter{Name: resource, Kind: searchspace.Int, Min: 1, Max: float64(t.epochs)})
	}
	space, err := searchspace.New(params)
	if err != nil {
		return err
	}
	// How many trials there will be is not known: the budget is of epochs.
	p := algorithms.Problem{Space: space, Objectives: 1, Seed: task.Seed, Parallel: task.Workers}
	if err := algorithms.Check(t.def, p, values); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if t.rule.New != nil {
		if t.pruner, err = algorithms.NewPruner(t.rule, p, t.ruleValues); err != nil {
			return err
		}
	}
	t.suggester, err = algorithms.New(t.def, p, values)
	return err
}

func (t *trainer) Next(id uint64) (Training, error) {
	out, err := t.suggester.Ask([]uint64{id}, t.running)
	if len(out) == 0 {
		return Training{}, err
	}
	s := out[0]
	t.running = append(t.running, algorithms.Trial{ID: id, Point: slices.Clone(s.Point), Memo: s.Memo, Losses: []float64{math.NaN()}})
	n := Training{Point: slices.Clone(s.Point), Until: t.epochs, From: s.Parent}
	if last := len(n.Point) - 1; t.deals {
		n.Point, n.Until = n.Point[:last], int(n.Point[last])
	}
	return n, nil
}

func (t *trainer) Report(id uint64, epoch int, loss float64) (goesOn bool, err error) {
	i := slices.IndexFunc(t.running, func(r algorithms.Trial) bool { return r.ID == id })
	if i < 0 {
		return false, errors.New("it is not running")
	}
	r := &t.running[i]
	r.Curve = append(r.Curve, algorithms.Measurement{Step: int64(epoch), Loss: loss})
	r.Losses[0] = loss
	until := t.epochs
	if t.deals {
		until = int(r.Point[len(r.Point)-1])
	}
	switch {
	case epoch == until:
		r.State = algorithms.Succeeded
	case t.stops(i):
		r.State = algorithms.Pruned
	default:
		return true, nil
	}
	t.finished = append(t.finished, *r)
	t.running = slices.Delete(t.running, i, i+1)
	t.suggester.Tell(t.finished[len(t.finished)-1:])
	return false, nil
}

// stops tells whether the rule, if there is one, stops running trial i.
func (t *trainer) stops(i int) bool {
	if t.pruner == nil {
		return false
	}
	others := append(slices.Clip(t.finished), t.running[:i]...)
	return t.pruner.Prune(t.running[i], append(others, t.running[i+1:]...)).Stop
}

func (t *trainer) End() error {
	t.suggester, t.running, t.finished = nil, nil, nil
	return nil
}

func (t *trainer) Close() error { return nil }
