package bayes

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/golden"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// TestRecordedSuggestions compares the first suggestions for a fixed function with those on record,
// so that a change of the mathematics shows. Six digits leave room for processors.
func TestRecordedSuggestions(t *testing.T) {
	plain := newSpace(t,
		searchspace.Parameter{Name: "a", Kind: searchspace.Double, Min: -5, Max: 5},
		searchspace.Parameter{Name: "b", Kind: searchspace.Double, Min: 0, Max: 15},
		searchspace.Parameter{Name: "c", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-5, Max: 1})
	for name, space := range map[string]*searchspace.Space{"continuous": plain, "mixed": mixedSpace(t)} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			for _, seed := range []uint64{1, 2} {
				record(t, &got, space, seed)
			}
			golden.Compare(t, filepath.Join("testdata", "gp-"+name+".golden"), got.String())
		})
	}
}

// record writes the first 12 suggestions, of which the last 3 are asked together.
func record(t *testing.T, w *bytes.Buffer, space *searchspace.Space, seed uint64) {
	fmt.Fprintf(w, "seed %d\n---\n", seed)
	s := newSuggester(t, GP(), algorithms.Problem{Space: space, Objectives: 1, Seed: seed, MaxTrials: 30, Parallel: 1})
	for _, ids := range [][]uint64{{1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10, 11, 12}} {
		out, err := s.Ask(ids, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			fmt.Fprintf(w, "%d", o.ID)
			for _, v := range o.Point {
				fmt.Fprintf(w, " %.6g", v)
			}
			fmt.Fprintln(w)
			s.Tell([]algorithms.Trial{{ID: o.ID, Point: o.Point, State: algorithms.Succeeded, Losses: []float64{bowl(space, o.Point)}, Memo: o.Memo}})
		}
	}
}

// bowl is a function of the unit cube whose minimum is at 0.3, with a ripple.
func bowl(space *searchspace.Space, p searchspace.Point) float64 {
	sum := 0.0
	for i, u := range space.Encode(p) {
		sum += float64(i+1)*(u-0.3)*(u-0.3) + 0.05*math.Cos(20*u)
	}
	return sum
}

func newSuggester(t testing.TB, def algorithms.Definition, p algorithms.Problem, settings ...algorithms.RawSetting) algorithms.Suggester {
	t.Helper()
	values, err := algorithms.Parse(def, settings, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := algorithms.New(def, p, values)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
