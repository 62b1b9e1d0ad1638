package random

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// katibGrid is the space of Katib's example grid.yaml.
func katibGrid(t *testing.T) algorithms.Problem {
	return newProblem(t,
		searchspace.Parameter{Name: "momentum", Kind: searchspace.Double, Min: 0.5, Max: 0.9, Step: 0.1},
		searchspace.Parameter{Name: "lr", Kind: searchspace.Double, Min: 0.01, Max: 0.05, Step: 0.005})
}

func TestGridVisitsEachCellOnce(t *testing.T) {
	p := katibGrid(t)
	got := points(t, newSuggester(t, Grid(), p), 100)
	if n := len(cellsOf(got)); len(got) != 45 || n != 45 {
		t.Errorf("got %d points, %d different ones, want 45", len(got), n)
	}
	want := []string{"0.5 0.01", "0.6 0.01", "0.7 0.01", "0.8 0.01", "0.9 0.01", "0.5 0.015"} // lr comes first by name
	for i, w := range want {
		a := p.Space.Format(got[i])
		if text := a[0].Value + " " + a[1].Value; text != w {
			t.Errorf("point %d: got %s, want %s", i, text, w)
		}
	}
}

func TestGridEndsWithinABatch(t *testing.T) {
	p := newProblem(t, searchspace.Parameter{Name: "x", Kind: searchspace.Int, Max: 2})
	got, err := newSuggester(t, Grid(), p).Ask([]uint64{2, 3, 4, 5}, nil)
	want := []algorithms.Suggestion{{ID: 2, Point: searchspace.Point{1}}, {ID: 3, Point: searchspace.Point{2}}}
	if diff := cmp.Diff(got, want); diff != "" || !errors.Is(err, algorithms.ErrExhausted) {
		t.Errorf("got error %v\n%s", err, diff)
	}
}

// TestHugeGrid has 10^12 and more than 2^64 cells, of which none is stored.
func TestHugeGrid(t *testing.T) {
	axis := func(name string) searchspace.Parameter {
		return searchspace.Parameter{Name: name, Kind: searchspace.Int, Max: 999_999}
	}
	s := newSuggester(t, Grid(), newProblem(t, axis("a"), axis("b")))
	got, err := s.Ask([]uint64{1, 1_000_000, 1_000_001, 1e12}, nil)
	want := []searchspace.Point{{0, 0}, {0, 999_999}, {1, 0}, {999_999, 999_999}}
	for i, w := range want {
		if err != nil || !cmp.Equal(got[i].Point, w) {
			t.Errorf("got %v, %v, want %v", got[i].Point, err, w)
		}
	}
	if _, err := s.Ask([]uint64{1e12 + 1}, nil); !errors.Is(err, algorithms.ErrExhausted) {
		t.Errorf("after the last cell: got %v", err)
	}
	s = newSuggester(t, Grid(), newProblem(t, axis("a"), axis("b"), axis("c"), axis("d")))
	got, err = s.Ask([]uint64{math.MaxUint64}, nil)
	if err != nil || !cmp.Equal(got[0].Point, searchspace.Point{18, 446_744, 73_709, 551_614}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestGridAdvisesOnSeed(t *testing.T) {
	if got := Grid().Advise(algorithms.Problem{}, algorithms.Values{}); len(got) > 0 {
		t.Errorf("without a seed: got %v, want no advice", got)
	}
	got := Grid().Advise(algorithms.Problem{}, algorithms.Values{"random_state": int64(1)})
	if len(got) != 1 || got[0].Setting != "random_state" || !strings.Contains(got[0].Text, "no effect") {
		t.Errorf("with a seed: got %v", got)
	}
}

func TestGridCheck(t *testing.T) {
	values := algorithms.Values{}
	p := katibGrid(t)
	for budget, want := range map[int]string{0: "", 45: "", 46: "maxTrialCount is 46, but the grid has only 45 combinations"} {
		p.MaxTrials = budget
		err := algorithms.Check(Grid(), p, values)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("budget %d: got %v, want %q", budget, err, want)
		}
	}
}
