package run

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Builtin returns the entry of a built-in algorithm. The text is its name and settings, such as
// "tpe" or "gp:trust_region=off:noise=0.1".
func Builtin(text string) (Entry, error) {
	def, raw, err := lookup(text)
	if err != nil {
		return Entry{}, err
	}
	values, err := algorithms.Parse(def, raw, "")
	if err != nil {
		return Entry{}, err
	}
	version, err := build()
	if err != nil {
		return Entry{}, err
	}
	open := func() (Optimizer, error) { return &local{def: def, values: values}, nil }
	return Entry{Name: text, Version: version, Ours: true, Open: open}, nil
}

// lookup reads the name of a built-in algorithm and its settings.
func lookup(text string) (algorithms.Definition, []algorithms.RawSetting, error) {
	name, raw, err := cutSettings("algorithm", text)
	if err != nil {
		return algorithms.Definition{}, nil, err
	}
	def, err := builtin.Registry().Lookup(name)
	if err == nil && def.New == nil {
		err = fmt.Errorf("algorithm %q is %w", name, algorithms.ErrNotBuilt)
	}
	return def, raw, err
}

// cutSettings reads the name of a thing and its settings, such as "tpe:gamma=0.2".
func cutSettings(thing, text string) (name string, raw []algorithms.RawSetting, err error) {
	name, rest, settings := strings.Cut(text, ":")
	if !settings {
		return name, nil, nil
	}
	for pair := range strings.SplitSeq(rest, ":") {
		if pair == "" {
			return name, nil, fmt.Errorf("%s %s: %q has an empty setting, want name:setting=value", thing, name, text)
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return name, nil, fmt.Errorf("%s %s: setting %q has no value, want name=value", thing, name, pair)
		}
		raw = append(raw, algorithms.RawSetting{Name: key, Value: value})
	}
	return name, raw, nil
}

// build tells one build of this program from another, so that no figure of an older one is taken
// for today's.
func build() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	return "build " + hex.EncodeToString(h.Sum(nil)[:6]), nil
}

// local is a built-in algorithm. Its cost is that of the thread which calls it: the caller keeps to
// one thread.
type local struct {
	def       algorithms.Definition
	values    algorithms.Values
	suggester algorithms.Suggester
	pending   []algorithms.Trial
}

func (l *local) Start(t Task) error {
	p := algorithms.Problem{
		Space: t.Problem.Space, Objectives: t.Problem.Objectives, Constraints: t.Problem.Constraints,
		Seed: t.Seed, MaxTrials: t.Problem.Budget, Parallel: t.Workers,
	}
	if err := algorithms.Check(l.def, p, l.values); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	var err error
	l.suggester, err = algorithms.New(l.def, p, l.values)
	l.pending = nil
	return err
}

func (l *local) Ask(id uint64) (searchspace.Point, Cost, error) {
	watch := startWatch()
	out, err := l.suggester.Ask([]uint64{id}, l.pending)
	cost := watch.cost()
	if len(out) == 0 {
		return nil, cost, err
	}
	point := slices.Clone(out[0].Point)
	l.pending = append(l.pending, algorithms.Trial{ID: id, Point: point, Memo: out[0].Memo})
	return point, cost, nil
}

func (l *local) Tell(id uint64, o Outcome) (Cost, error) {
	i := slices.IndexFunc(l.pending, func(t algorithms.Trial) bool { return t.ID == id })
	if i < 0 {
		return Cost{}, fmt.Errorf("trial %d is not pending", id)
	}
	t := l.pending[i]
	l.pending = slices.Delete(l.pending, i, i+1)
	t.State, t.Losses, t.Constraints = algorithms.Succeeded, o.Losses, o.Constraints
	if o.Failed() {
		t.State, t.Constraints = algorithms.Failed, nil
		t.Losses = slices.Repeat([]float64{math.NaN()}, len(o.Losses))
	}
	watch := startWatch()
	l.suggester.Tell([]algorithms.Trial{t})
	return watch.cost(), nil
}

// Learn tells the algorithm trials that it was not asked for.
func (l *local) Learn(finished []algorithms.Trial) { l.suggester.Tell(finished) }

func (l *local) End() error {
	l.suggester, l.pending = nil, nil
	return nil
}

func (l *local) Close() error { return nil }
