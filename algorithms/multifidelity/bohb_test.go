package multifidelity_test

import (
	"math"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/multifidelity"
)

// spy is a model that is watched.
type spy struct {
	algorithms.Suggester
	told  int
	asked []int // trials told before each question
}

func (s *spy) Tell(finished []algorithms.Trial) {
	s.told += len(finished)
	s.Suggester.Tell(finished)
}

func (s *spy) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	s.asked = append(s.asked, s.told)
	return s.Suggester.Ask(ids, pending)
}

// TestModelOfHighestLevel wants questions to the model of the highest level that has two parameters and three results, of
// which none is told of trials of another level.
func TestModelOfHighestLevel(t *testing.T) {
	var models []*spy
	def := multifidelity.BOHB(func(p algorithms.Problem) (algorithms.Suggester, error) {
		if p.Space.Len() != 2 || p.Objectives != 1 {
			t.Errorf("the model has %d parameters and %d objectives", p.Space.Len(), p.Objectives)
		}
		models = append(models, &spy{Suggester: suggester(t, "tpe", p)})
		return models[len(models)-1], nil
	})
	p := epochs(t, 81)
	p.Objectives = 2
	values, err := algorithms.Parse(def, settings("resource_name", "epochs", "r_l", "27", "random_fraction", "0"), "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := algorithms.New(def, p, values)
	if err != nil {
		t.Fatal(err)
	}
	ladder, told := []float64{1, 3, 9, 27}, make([]int, 4)
	for id := uint64(1); id <= 150; id++ {
		want := -1
		for level, n := range told {
			if n >= 5 {
				want = level
			}
		}
		before := questions(models)
		out, err := s.Ask([]uint64{id}, nil)
		if err != nil {
			t.Fatal(err)
		}
		asked := slices.IndexFunc(questions(models), func(n int) bool { return !slices.Contains(before, n) })
		for level, n := range questions(models) {
			switch asks := n > before[level]; {
			case asks && (out[0].Parent > 0 || level != want):
				t.Fatalf("trial %d, which goes on from %d: the model of level %d is asked, want %d", id, out[0].Parent, level, want)
			case !asks && out[0].Parent == 0 && level == want:
				t.Fatalf("trial %d: the model of level %d is not asked, but %d", id, want, asked)
			}
		}
		trial := algorithms.Trial{ID: id, Point: out[0].Point, Memo: out[0].Memo, State: algorithms.Succeeded, Losses: []float64{out[0].Point[2], 0}}
		if id%7 == 0 {
			trial.State, trial.Losses = algorithms.Failed, []float64{math.NaN(), math.NaN()}
		} else {
			told[slices.Index(ladder, trial.Point[1])]++
		}
		s.Tell([]algorithms.Trial{trial})
	}
	if slices.Min(questions(models)[1:]) == 0 || len(models) != 4 {
		t.Errorf("questions to the %d models: %v", len(models), questions(models))
	}
}

// questions returns how many each model was asked.
func questions(models []*spy) (out []int) {
	for _, m := range models {
		out = append(out, len(m.asked))
	}
	return out
}

// TestRandomFraction wants hyperband where all is random and while there is too little to make a model of.
func TestRandomFraction(t *testing.T) {
	first := func(name string, raw ...algorithms.RawSetting) (out [][]float64) {
		w := newWorld(t, name, 4, 3, raw...)
		w.check = func(r run) { out = append(out, r.Point) }
		w.Play(100)
		return out
	}
	same := func(a, b [][]float64) int {
		for i := range a {
			if !slices.Equal(a[i], b[i]) {
				return i
			}
		}
		return len(a)
	}
	want := first("hyperband")
	if n := same(first("bohb", settings("random_fraction", "1")...), want); n != 100 {
		t.Errorf("with random configurations alone trial %d is another one", n+1)
	}
	if n := same(first("bohb", settings("random_fraction", "0")...), want); n < 5 || n > 20 {
		t.Errorf("the model is used from trial %d on", n+1)
	}
}

// TestModelHelps wants new configurations that are better than random ones.
func TestModelHelps(t *testing.T) {
	mean := func(name string) float64 {
		sum, n := 0.0, 0
		for seed := range uint64(4) {
			w := newWorld(t, name, 4, seed)
			w.check = func(r run) {
				if r.rung == 0 && r.ID > 50 {
					sum += w.bowl(r.Point)
					n++
				}
			}
			w.Play(150)
		}
		return sum / float64(n)
	}
	// Of some 260 random ones the mean is 0.22, with a standard deviation of 0.01.
	if model, random := mean("bohb"), mean("hyperband"); model > 0.8*random {
		t.Errorf("new configurations of bohb have a mean loss of %g, random ones %g", model, random)
	} else {
		t.Logf("new configurations of bohb have a mean loss of %g, random ones %g", model, random)
	}
}
