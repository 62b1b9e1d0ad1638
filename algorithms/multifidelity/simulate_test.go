package multifidelity_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// world is an algorithm whose trials run on workers: each takes as long as its resource, and some fail, diverge or are stopped.
type world struct {
	algorithmtest.Workers
	problem algorithms.Problem
	ladder  []float64 // of the resource
	faults  bool      // whether trials fail
	check   func(run) // looks at each trial as it begins
	runs    map[uint64]run
}

// run is a trial and what the world knows of it.
type run struct {
	algorithms.Trial
	parent        uint64
	bracket, rung int
	root          uint64
}

func newWorld(t *testing.T, name string, workers int, seed uint64, raw ...algorithms.RawSetting) *world {
	p := epochs(t, 81)
	p.Seed, p.Parallel = seed, workers
	raw = append(settings("resource_name", "epochs", "r_l", "27"), raw...)
	w := &world{problem: p, ladder: []float64{1, 3, 9, 27}, faults: true, runs: make(map[uint64]run)}
	w.Workers = algorithmtest.Workers{
		T: t, N: workers, New: func() algorithms.Suggester { return suggester(t, name, p, raw...) },
		Random: rand.New(rand.NewPCG(seed, 1)), Begin: w.begin, End: w.end,
	}
	return w
}

// begin reads the place of a trial from its memo: a version, the bracket, the rung and the first trial of the configuration.
func (w *world) begin(o algorithms.Suggestion) float64 {
	r := run{Trial: algorithms.Trial{ID: o.ID, Point: o.Point, Memo: o.Memo, Losses: []float64{math.NaN()}}, parent: o.Parent, root: o.ID}
	in := bytes.NewReader(o.Memo[1:])
	var fields [3]uint64
	for i := range fields {
		var err error
		if fields[i], err = binary.ReadUvarint(in); err != nil {
			w.Fatalf("the memo of trial %d: %v", o.ID, err)
		}
	}
	r.bracket, r.rung = int(fields[0]), int(fields[1])
	if r.rung > 0 {
		r.root = fields[2]
	}
	w.check(r)
	w.runs[o.ID] = r
	return r.Point[1]
}

// end draws what becomes of a trial.
func (w *world) end(t *algorithms.Trial) {
	t.State, t.Losses = algorithms.Succeeded, []float64{w.bowl(t.Point) + 0.3/t.Point[1]}
	if w.faults {
		switch w.Random.IntN(12) {
		case 0:
			t.State, t.Losses[0] = algorithms.Failed, math.NaN()
		case 1:
			t.Losses[0] = math.NaN()
		case 2:
			t.State = algorithms.Pruned
		}
	}
	r := w.runs[t.ID]
	r.Trial = *t
	w.runs[t.ID] = r
}

// bowl is the loss of a configuration when it gets all the resource.
func (w *world) bowl(p searchspace.Point) float64 {
	u := w.problem.Space.Encode(p)
	return (u[0]-0.3)*(u[0]-0.3) + (u[2]-0.6)*(u[2]-0.6)
}

// good tells whether a trial may be promoted.
func (r run) good() bool { return r.State == algorithms.Succeeded && !math.IsNaN(r.Losses[0]) }

// at returns the trials of a rung, of those that have finished the best first.
func (w *world) at(bracket, rung int) (finished, running []run) {
	for id := range w.Last { // in order
		r, ok := w.runs[id+1]
		switch {
		case !ok || r.bracket != bracket || r.rung != rung:
		case r.State == algorithms.Pending:
			running = append(running, r)
		default:
			finished = append(finished, r)
		}
	}
	slices.SortStableFunc(finished, func(a, b run) int {
		switch {
		case a.good() != b.good():
			return map[bool]int{true: -1, false: 1}[a.good()]
		case !a.good():
			return 0
		}
		return cmp.Compare(a.Losses[0], b.Losses[0])
	})
	return finished, running
}

// promoted tells whether a configuration has begun at a rung.
func (w *world) promoted(root uint64, bracket, rung int) bool {
	for _, r := range w.runs {
		if r.root == root && r.bracket == bracket && r.rung == rung {
			return true
		}
	}
	return false
}

// checkChild wants a promotion to be one of a good trial, once, with its values and more resource.
func (w *world) checkChild(r run, base int) {
	w.Helper()
	if want := w.ladder[base+r.rung]; r.Point[1] != want {
		w.Fatalf("trial %d at rung %d of bracket %d takes %g, want %g", r.ID, r.rung, r.bracket, r.Point[1], want)
	}
	if r.rung == 0 {
		if r.parent != 0 {
			w.Fatalf("trial %d is new, and goes on from trial %d", r.ID, r.parent)
		}
		return
	}
	p := w.runs[r.parent]
	switch {
	case !p.good() || p.bracket != r.bracket || p.rung != r.rung-1 || p.root != r.root:
		w.Fatalf("trial %d goes on from trial %d: %+v, %+v", r.ID, r.parent, r, p)
	case p.Point[0] != r.Point[0] || p.Point[2] != r.Point[2]:
		w.Fatalf("trial %d goes on from trial %d with other values: %v, %v", r.ID, r.parent, r.Point, p.Point)
	case w.promoted(r.root, r.bracket, r.rung):
		w.Fatalf("trial %d is promoted twice", r.root)
	}
}

// sizes are the brackets of Hyperband for a resource of 27 and eta = 3.
var sizes = [][]int{{27, 9, 3, 1}, {9, 3, 1}, {6, 2}, {4}}

// checkRung wants a rung to open when the one below is complete, for the best of it, and to be no larger than the table says.
func (w *world) checkRung(r run) {
	w.Helper()
	base := r.bracket % len(sizes)
	w.checkChild(r, base)
	finished, running := w.at(r.bracket, r.rung)
	if n := len(finished) + len(running); n >= sizes[base][r.rung] {
		w.Fatalf("trial %d is one too many at rung %d of bracket %d", r.ID, r.rung, r.bracket)
	}
	if r.rung == 0 {
		return
	}
	below, late := w.at(r.bracket, r.rung-1)
	if len(late) > 0 || r.rung == 1 && len(below) != sizes[base][0] {
		w.Fatalf("trial %d begins while rung %d of bracket %d has %d trials, %d of them running", r.ID, r.rung-1, r.bracket, len(below)+len(late), len(late))
	}
	best := below[:min(len(below), sizes[base][r.rung])]
	if !slices.ContainsFunc(best, func(b run) bool { return b.ID == r.parent }) {
		w.Fatalf("trial %d goes on from trial %d, which is not among the best %d", r.ID, r.parent, len(best))
	}
}

// checkASHA wants the promotion from the highest rung that has one, and a new configuration where none has.
func (w *world) checkASHA(r run) {
	w.Helper()
	w.checkChild(r, 0)
	for rung := len(w.ladder) - 2; rung >= 0; rung-- {
		finished, _ := w.at(0, rung)
		for _, f := range finished[:len(finished)/3] {
			if !f.good() || w.promoted(f.root, 0, rung+1) {
				continue
			}
			if r.parent != f.ID {
				w.Fatalf("trial %d goes on from trial %d, want trial %d", r.ID, r.parent, f.ID)
			}
			return
		}
	}
	if r.rung != 0 {
		w.Fatalf("trial %d is a promotion of trial %d, which is not among the best", r.ID, r.parent)
	}
}

// TestNeverStuck plays all algorithms with any number of workers. No worker is idle while there is work.
func TestNeverStuck(t *testing.T) {
	for _, name := range names {
		for _, workers := range []int{1, 2, 3, 5, 16, 32} {
			for seed := range uint64(3) {
				t.Run(fmt.Sprintf("%s on %d, seed %d", name, workers, seed), func(t *testing.T) {
					w := newWorld(t, name, workers, seed)
					w.check = w.checkRung
					if name == "asha" {
						w.check = w.checkASHA
					}
					w.Play(200)
					switch end := name == "successivehalving"; {
					case end && (!w.Ended || w.Last < 28 || w.Last > 40):
						t.Errorf("it ended: %t, after %d trials", w.Ended, w.Last)
					case end:
					case w.Ended || w.Last != 200 || w.Waited > 0:
						t.Errorf("%d trials, it ended: %t, %d workers were idle", w.Last, w.Ended, w.Waited)
					}
				})
			}
		}
	}
}

// TestRungsAreFull wants every trial of the table where none fails, whatever the number of workers.
func TestRungsAreFull(t *testing.T) {
	for _, name := range []string{"hyperband", "bohb", "successivehalving"} {
		for _, workers := range []int{1, 7} {
			w := newWorld(t, name, workers, 5)
			w.faults = false
			w.check = w.checkRung
			w.Play(74 + 200)
			for i, s := range sizes {
				if i > 0 && name == "successivehalving" {
					break
				}
				for rung, want := range s {
					if finished, _ := w.at(i, rung); len(finished) != want {
						t.Errorf("%s on %d: %d trials at rung %d of bracket %d, want %d", name, workers, len(finished), rung, i, want)
					}
				}
			}
		}
	}
}

// TestNothingSucceeds wants no end of new configurations, and of successive halving an end.
func TestNothingSucceeds(t *testing.T) {
	for _, name := range names {
		s, p := suggester(t, name, epochs(t, 9), settings("resource_name", "epochs", "r_l", "9")...), uint64(0)
		for id := uint64(1); id <= 60; id++ {
			out, err := s.Ask([]uint64{id}, nil)
			if name == "successivehalving" && id > 9 {
				if !errors.Is(err, algorithms.ErrExhausted) {
					t.Errorf("%s: got %v, %v after all trials failed", name, out, err)
				}
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			p += out[0].Parent
			s.Tell([]algorithms.Trial{{ID: id, Point: out[0].Point, Memo: out[0].Memo, State: algorithms.Failed, Losses: []float64{math.NaN()}}})
		}
		if p > 0 {
			t.Errorf("%s: trials that failed go on", name)
		}
	}
}
