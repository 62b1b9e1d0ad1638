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
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// world runs trials on workers: each takes as long as its resource, some take twenty times as long, and some fail, diverge or are
// stopped. The suggester is lost at any moment, and rebuilt. A world is a function of its seed.
type world struct {
	*testing.T
	name    string
	raw     []algorithms.RawSetting
	problem algorithms.Problem
	workers int
	ladder  []float64 // of the resource
	random  *rand.Rand
	faults  bool // whether trials fail

	suggester algorithms.Suggester
	now       float64
	last      uint64
	running   []run
	finished  []algorithms.Trial
	runs      map[uint64]run
	ended     bool
	waited    int // questions that were answered by ErrWait
}

// run is a trial and what the world knows of it.
type run struct {
	algorithms.Trial
	parent        uint64
	bracket, rung int
	root          uint64
	end           float64
}

func newWorld(t *testing.T, name string, workers int, seed uint64, raw ...algorithms.RawSetting) *world {
	p := epochs(t, 81)
	p.Seed, p.Parallel = seed, workers
	return &world{
		T: t, name: name, raw: append(settings("resource_name", "epochs", "r_l", "27"), raw...), problem: p, workers: workers,
		ladder: []float64{1, 3, 9, 27}, random: rand.New(rand.NewPCG(seed, 1)), faults: true, runs: make(map[uint64]run),
	}
}

// play runs n trials, or less if the algorithm ends; check looks at each as it begins.
func (w *world) play(n uint64, check func(run)) {
	w.suggester = suggester(w, w.name, w.problem, w.raw...)
	for !w.ended && w.last < n || len(w.running) > 0 {
		if w.random.IntN(4) == 0 {
			w.suggester = w.rebuilt()
		}
		if idle := min(w.workers-len(w.running), int(n-w.last)); idle > 0 && !w.ended {
			w.ask(idle, check)
		}
		for range 1 + w.random.IntN(3)*w.random.IntN(2) { // some questions come late
			if len(w.running) > 0 {
				w.finish()
			}
		}
	}
}

// rebuilt returns a suggester made of the history.
func (w *world) rebuilt() algorithms.Suggester {
	s := suggester(w, w.name, w.problem, w.raw...)
	s.Tell(w.finished)
	return s
}

// ask asks for all idle workers, also of a rebuilt suggester, which must answer alike.
func (w *world) ask(n int, check func(run)) {
	var ids []uint64
	for k := range n {
		ids = append(ids, w.last+uint64(k)+1)
	}
	pending := make([]algorithms.Trial, len(w.running))
	for i, r := range w.running {
		pending[i] = r.Trial
	}
	out, err := w.suggester.Ask(ids, pending)
	w.random.Shuffle(len(pending), func(i, j int) { pending[i], pending[j] = pending[j], pending[i] })
	again, againErr := w.rebuilt().Ask(ids, pending)
	if fmt.Sprint(out, err) != fmt.Sprint(again, againErr) {
		w.Fatalf("kept: %v, %v\nrebuilt: %v, %v", out, err, again, againErr)
	}
	for _, o := range out {
		r := w.begin(o)
		check(r)
		w.runs[o.ID] = r
		w.running = append(w.running, r)
	}
	switch {
	case err == nil && len(out) == n:
	case errors.Is(err, algorithms.ErrWait) && len(w.running) > 0:
		w.waited++
	case errors.Is(err, algorithms.ErrExhausted):
		w.ended = true
	default:
		w.Fatalf("%d running, asked for %d, got %d, %v", len(w.running), n, len(out), err)
	}
}

// begin reads the place of a trial from its memo: a version, the bracket, the rung and the first trial of the configuration.
func (w *world) begin(o algorithms.Suggestion) run {
	w.last = o.ID
	r := run{Trial: algorithms.Trial{ID: o.ID, Point: o.Point, Memo: o.Memo, Losses: []float64{math.NaN()}}, parent: o.Parent, root: o.ID}
	in := bytes.NewReader(o.Memo[1:])
	var fields [3]uint64
	for i := range fields {
		var err error
		if fields[i], err = binary.ReadUvarint(in); err != nil {
			w.Fatal(err)
		}
	}
	r.bracket, r.rung = int(fields[0]), int(fields[1])
	if r.rung > 0 {
		r.root = fields[2]
	}
	r.end = w.now + r.Point[1]*(0.5+w.random.Float64())
	if w.random.IntN(15) == 0 {
		r.end += 20 * r.Point[1]
	}
	return r
}

// finish ends the trial that is first to end.
func (w *world) finish() {
	first := 0
	for i := range w.running {
		if w.running[i].end < w.running[first].end {
			first = i
		}
	}
	r := w.running[first]
	w.running = slices.Delete(w.running, first, first+1)
	w.now, r.State = r.end, algorithms.Succeeded
	r.Losses = []float64{w.bowl(r.Point) + 0.3/r.Point[1]}
	if w.faults {
		switch w.random.IntN(12) {
		case 0:
			r.State, r.Losses[0] = algorithms.Failed, math.NaN()
		case 1:
			r.Losses[0] = math.NaN()
		case 2:
			r.State = algorithms.Pruned
		}
	}
	w.runs[r.ID] = r
	w.finished = append(w.finished, r.Trial)
	w.suggester.Tell([]algorithms.Trial{r.Trial})
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
	for id := range w.last { // in order
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
					check := w.checkRung
					if name == "asha" {
						check = w.checkASHA
					}
					w.play(200, check)
					switch end := name == "successivehalving"; {
					case end && (!w.ended || w.last < 28 || w.last > 40):
						t.Errorf("it ended: %t, after %d trials", w.ended, w.last)
					case end:
					case w.ended || w.last != 200 || w.waited > 0:
						t.Errorf("%d trials, it ended: %t, %d workers were idle", w.last, w.ended, w.waited)
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
			w.play(74+200, w.checkRung)
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
