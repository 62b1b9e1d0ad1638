package algorithmtest

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// history plays the tuner: it asks, lets trials finish in any order and with any outcome, and
// tells. It is a function of its seed.
type history struct {
	*subject
	problem  algorithms.Problem
	random   *rand.Rand
	lastID   uint64
	pending  []algorithms.Trial // in order of ID
	finished []algorithms.Trial // in order of finishing
	ended    bool               // ErrExhausted was answered
}

func newHistory(s *subject, p algorithms.Problem, seed uint64) *history {
	return &history{subject: s, problem: p, random: rand.New(rand.NewPCG(seed, 0))}
}

// ids returns the next n IDs.
func (h *history) ids(n int) []uint64 {
	ids := make([]uint64, n)
	for i := range ids {
		h.lastID++
		ids[i] = h.lastID
	}
	return ids
}

// ask asks for the given IDs, checks the answer and takes it into the pending trials.
func (h *history) ask(sug algorithms.Suggester, ids []uint64) []algorithms.Suggestion {
	h.Helper()
	out, err := sug.Ask(slices.Clone(ids), copyTrials(h.pending))
	h.checkAnswer(ids, out, err)
	h.lastID -= uint64(max(0, len(ids)-len(out))) // asked for again later
	for _, o := range out {
		h.pending = append(h.pending, algorithms.Trial{ID: o.ID, Point: slices.Clone(o.Point), Memo: bytes.Clone(o.Memo), Losses: h.noLosses()})
	}
	return out
}

func (h *history) checkAnswer(ids []uint64, out []algorithms.Suggestion, err error) {
	h.Helper()
	waits := errors.Is(err, algorithms.ErrWait)
	switch {
	case err != nil && !waits && !errors.Is(err, algorithms.ErrExhausted):
		h.Fatalf("ask for %v: %v", ids, err)
	case waits && len(h.pending)+len(out) == 0:
		h.Fatalf("ask for %v: it waits, but no trial is pending", ids)
	case err == nil && len(out) != len(ids), len(out) > len(ids):
		h.Fatalf("asked for %d, got %d suggestions, error %v", len(ids), len(out), err)
	case h.ended && (err == nil && len(ids) > 0 || len(out) > 0):
		h.Errorf("exhausted, yet it answers %d suggestions to %d, error %v", len(out), len(ids), err)
	}
	h.ended = h.ended || err != nil && !waits
	for i, o := range out {
		if o.ID != ids[i] {
			h.Errorf("suggestion %d is for ID %d, asked was %d", i, o.ID, ids[i])
		}
		if err := h.problem.Space.Contains(o.Point); err != nil {
			h.Errorf("suggestion %d: %v", o.ID, err)
		}
		if o.Parent >= ids[0] {
			h.Errorf("suggestion %d goes on from trial %d, which is no earlier one", o.ID, o.Parent)
		}
	}
	h.checkSpread(out)
}

// checkSpread wants points that differ from each other and from pending ones, where there is room.
func (h *history) checkSpread(out []algorithms.Suggestion) {
	h.Helper()
	if cells, finite := h.problem.Space.Cells(); finite && cells < uint64(len(h.pending)+len(out)) {
		return
	}
	points := make([]searchspace.Point, 0, len(h.pending)+len(out))
	for _, t := range h.pending {
		points = append(points, t.Point)
	}
	for _, o := range out {
		if slices.ContainsFunc(points, func(p searchspace.Point) bool { return samePoint(p, o.Point) }) {
			h.Errorf("suggestion %d repeats the pending or just suggested point %v", o.ID, o.Point)
		}
		points = append(points, o.Point)
	}
}

// finish ends some pending trial and returns it.
func (h *history) finish() []algorithms.Trial {
	if len(h.pending) == 0 {
		return nil
	}
	i := h.random.IntN(len(h.pending))
	t := h.pending[i]
	h.pending = slices.Delete(h.pending, i, i+1)
	h.outcome(&t)
	h.finished = append(h.finished, t)
	return copyTrials([]algorithms.Trial{t})
}

// outcome draws what becomes of a trial.
func (h *history) outcome(t *algorithms.Trial) {
	t.State = algorithms.Succeeded
	t.Losses = h.noLosses()
	for k := range t.Losses {
		t.Losses[k] = h.loss(t.Point) + float64(k)
	}
	for range h.problem.Constraints {
		t.Constraints = append(t.Constraints, h.constraint())
	}
	switch h.random.IntN(10) {
	case 0:
		t.State = algorithms.Failed
		t.Losses, t.Constraints = h.noLosses(), nil
	case 1:
		t.State = algorithms.Pruned
	case 2:
		t.Losses[0] = math.NaN()
	case 3:
		t.Losses[0] = []float64{math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, 5e-324}[h.random.IntN(5)]
	case 4:
		t.Losses[0] = 0 // ties
	}
	if h.def.Curves {
		for step := range int64(h.random.IntN(5)) {
			t.Curve = append(t.Curve, algorithms.Measurement{Step: step + 1, Loss: t.Losses[0] + 1/float64(step+1)})
		}
	}
}

// constraint draws a value of a constraint, one in five at the limits of what a value can be.
func (h *history) constraint() float64 {
	odd := []float64{math.MaxFloat64, -math.MaxFloat64, 1e300, -1e300, 5e-324, 0, math.NaN(), math.Inf(1), math.Inf(-1)}
	if h.random.IntN(5) == 0 {
		return odd[h.random.IntN(len(odd))]
	}
	return h.random.NormFloat64()
}

func (h *history) noLosses() []float64 {
	out := make([]float64, h.problem.Objectives)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

// loss is a bowl in the unit cube, with noise.
func (h *history) loss(p searchspace.Point) float64 {
	sum := 0.01 * h.random.NormFloat64()
	for _, u := range h.problem.Space.Encode(p) {
		sum += (u - 0.3) * (u - 0.3)
	}
	return sum
}

func copyTrials(trials []algorithms.Trial) []algorithms.Trial {
	out := slices.Clone(trials)
	for i, t := range out {
		out[i].Point = slices.Clone(t.Point)
		out[i].Losses = slices.Clone(t.Losses)
		out[i].Constraints = slices.Clone(t.Constraints)
		out[i].Curve = slices.Clone(t.Curve)
		out[i].Memo = bytes.Clone(t.Memo)
	}
	return out
}

func copySuggestions(in []algorithms.Suggestion) []algorithms.Suggestion {
	out := slices.Clone(in)
	for i, s := range out {
		out[i].Point = slices.Clone(s.Point)
		out[i].Memo = bytes.Clone(s.Memo)
	}
	return out
}

func sameFloats(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return x == y || math.IsNaN(x) && math.IsNaN(y) })
}

func samePoint(a, b searchspace.Point) bool { return sameFloats(a, b) }

func sameSuggestions(a, b []algorithms.Suggestion) bool {
	return slices.EqualFunc(a, b, func(x, y algorithms.Suggestion) bool {
		return x.ID == y.ID && samePoint(x.Point, y.Point) && bytes.Equal(x.Memo, y.Memo) && x.Parent == y.Parent
	})
}

func sameTrials(a, b []algorithms.Trial) bool {
	return slices.EqualFunc(a, b, func(x, y algorithms.Trial) bool {
		return x.ID == y.ID && x.State == y.State && samePoint(x.Point, y.Point) && sameFloats(x.Losses, y.Losses) &&
			sameFloats(x.Constraints, y.Constraints) && bytes.Equal(x.Memo, y.Memo) &&
			slices.EqualFunc(x.Curve, y.Curve, func(m, n algorithms.Measurement) bool {
				return m.Step == n.Step && sameFloats([]float64{m.Loss}, []float64{n.Loss})
			})
	})
}
