package evolution

import (
	"math"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
)

func TestDE(t *testing.T) {
	for _, settings := range [][]algorithms.RawSetting{
		nil,
		{{Name: "strategy", Value: "rand1"}},
		{{Name: "population_size", Value: "4"}},
		{{Name: "strategy", Value: "rand1"}, {Name: "population_size", Value: "5"}},
	} {
		algorithmtest.Run(t, DE(), settings...)
	}
}

// TestMinimumIsFound wants the bowl's minimum to some digits, and by L-SHADE to more.
func TestMinimumIsFound(t *testing.T) {
	p := algorithms.Problem{Space: doubles(t, 5), Objectives: 1, Seed: 1, MaxTrials: 2000, Parallel: 1}
	best := func(strategy string) float64 {
		least := math.Inf(1)
		for _, trial := range let(made(t, DE(), p, algorithms.RawSetting{Name: "strategy", Value: strategy}), p, 2000, func(u []float64) []float64 { return []float64{bowl(u)} }) {
			least = min(least, trial.Losses[0])
		}
		return least
	}
	rand1, lshade := best("rand1"), best("lshade")
	if rand1 > 1e-4 || lshade > 1e-6 {
		t.Errorf("rand1 finds %g, lshade %g", rand1, lshade)
	}
}

// TestLearn compares the memory with means computed by hand.
func TestLearn(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		name      string
		successes []success
		f, cr     float64
	}{
		{"weighed by gain", []success{{0.5, 0.2, 1}, {1, 0.6, 3}}, (0.25*0.25 + 0.75) / (0.25*0.5 + 0.75), (0.25*0.04 + 0.75*0.36) / (0.25*0.2 + 0.75*0.6)},
		{"of a better class, as the greatest gain", []success{{0.5, 0.2, 1}, {1, 0.6, nan}}, 1.25 / 1.5, 0.4 / 0.8},
		{"without crossover", []success{{0.5, 0, 1}}, 0.5, nan},
		{"huge gains", []success{{0.5, 0.5, math.MaxFloat64}, {0.5, 0.5, math.MaxFloat64}}, 0.5, 0.5},
		{"no success", nil, 0.5, 0.5},
	} {
		a := newAdaptation(20, 0)
		a.successes = tt.successes
		a.learn()
		if f, cr := a.memoryF[0], a.memoryCR[0]; math.Abs(f-tt.f) > 1e-15 || math.Abs(cr-tt.cr) > 1e-15 || math.IsNaN(cr) != math.IsNaN(tt.cr) {
			t.Errorf("%s: F %g and CR %g, want %g and %g", tt.name, f, cr, tt.f, tt.cr)
		}
		if want := min(len(tt.successes), 1); a.at != want || len(a.successes) > 0 {
			t.Errorf("%s: the next memory is %d, and %d successes are left", tt.name, a.at, len(a.successes))
		}
	}
	a := newAdaptation(20, 0)
	a.memoryCR[0] = nan
	a.successes = []success{{0.5, 0.9, 1}}
	if a.learn(); !math.IsNaN(a.memoryCR[0]) {
		t.Errorf("a CR that was 0 for good is %g", a.memoryCR[0])
	}
}

// TestReduction wants as many members as the budget leaves, the best ones.
func TestReduction(t *testing.T) {
	p := algorithms.Problem{Space: doubles(t, 2), Objectives: 1, Seed: 1, MaxTrials: 100, Parallel: 1}
	s := made(t, DE(), p, algorithms.RawSetting{Name: "population_size", Value: "18"}).(*differential)
	for _, tt := range []struct{ told, want int }{{17, 18}, {18, 15}, {33, 13}, {46, 12}, {100, 4}} {
		let := tt.told - s.adapt.told
		for range let {
			id := uint64(s.adapt.told + 1)
			out, _ := s.Ask([]uint64{id}, nil)
			s.Tell([]algorithms.Trial{{ID: id, Point: out[0].Point, Memo: out[0].Memo, State: algorithms.Succeeded, Losses: []float64{bowl(out[0].Point)}}})
		}
		if len(s.slots) != tt.want {
			t.Errorf("after %d of 100 trials there are %d members, want %d", tt.told, len(s.slots), tt.want)
		}
	}
}

// TestSlots wants slots to take turns, whatever is pending and whatever fails, and a late trial of a slot that is no more
// to count.
func TestSlots(t *testing.T) {
	p := algorithms.Problem{Space: doubles(t, 3), Objectives: 1, Seed: 1, MaxTrials: 60, Parallel: 5}
	s := made(t, DE(), p, algorithms.RawSetting{Name: "population_size", Value: "10"}).(*differential)
	out, _ := s.Ask([]uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, nil)
	seen := make(map[uint64]bool)
	var pending []algorithms.Trial
	for _, o := range out {
		var of origin
		if !of.decode(o.Memo) || of.f != 0 || seen[of.slot] {
			t.Errorf("first trial %d: %+v", o.ID, of)
		}
		seen[of.slot] = true
		pending = append(pending, algorithms.Trial{ID: o.ID, Point: o.Point, Memo: o.Memo})
	}
	late := pending[0]
	for id := uint64(11); id < 60; id++ {
		out, _ := s.Ask([]uint64{id}, pending)
		pending = append(pending, algorithms.Trial{ID: id, Point: out[0].Point, Memo: out[0].Memo})
		done := pending[1]
		pending = append(pending[:1:1], pending[2:]...)
		done.State, done.Losses = algorithms.Succeeded, []float64{bowl(done.Point)}
		if id%4 == 0 {
			done.State, done.Losses = algorithms.Failed, []float64{math.NaN()}
		}
		s.Tell([]algorithms.Trial{done})
	}
	for i, slot := range s.slots {
		if slot.number == 0 {
			t.Errorf("slot 0, which had no member, is still there, at %d", i)
		}
	}
	late.State, late.Losses = algorithms.Succeeded, []float64{-1}
	s.Tell([]algorithms.Trial{late})
	if best := s.slots[s.filled[0]]; best.value != -1 {
		t.Errorf("the best member has %g, not the late one's loss", best.value)
	}
}

func FuzzOrigin(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(origin{slot: 300, f: 0.5, cr: 1}.encode())
	f.Fuzz(func(t *testing.T, text []byte) {
		var one, two origin
		if !one.decode(text) {
			return
		}
		if !two.decode(one.encode()) || one != two {
			t.Errorf("%+v becomes %+v", one, two)
		}
	})
}
