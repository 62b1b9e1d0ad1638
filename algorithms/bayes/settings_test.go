package bayes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// TestModelSettings wants each setting of the model to add its hyperparameters, which memos carry.
func TestModelSettings(t *testing.T) {
	p := algorithms.Problem{Space: mixedSpace(t), Objectives: 1}
	e := newEncoding(p.Space)
	numbers := 0
	for _, a := range e.axes {
		if !a.labels {
			numbers++
		}
	}
	sizes := func(v algorithms.Values) (int, int) {
		plain, skewed := read(p, v).models(e)
		return len(plain.Start()), len(skewed.Start())
	}
	base, _ := sizes(nil)
	weights := numbers * (numbers - 1) / 2
	for _, c := range []struct {
		name          string
		values        algorithms.Values
		plain, skewed int // hyperparameters that are added
	}{
		{"default", nil, 0, weights},
		{"linear", algorithms.Values{"linear": true}, 1, 1 + weights},
		{"input warping", algorithms.Values{"input_warping": true}, 2 * numbers, 2 * numbers},
		{"both", algorithms.Values{"input_warping": true, "linear": true}, 1 + 2*numbers, 1 + 2*numbers},
		{"neither, no correlations", algorithms.Values{"correlations": false}, 0, 0},
	} {
		if plain, skewed := sizes(c.values); plain-base != c.plain || skewed-base != c.skewed {
			t.Errorf("%s: %d and %d hyperparameters are added, want %d and %d", c.name, plain-base, skewed-base, c.plain, c.skewed)
		}
	}
}

// TestModelSettingsSurviveRebuild wants a rebuilt suggester to go on from the memos of models with
// more hyperparameters, and other suggestions than by default.
func TestModelSettingsSurviveRebuild(t *testing.T) {
	p := algorithms.Problem{Space: mixedSpace(t), Objectives: 1, Seed: 1}
	walk := func(settings ...algorithms.RawSetting) (out []searchspace.Point) {
		kept := newSuggester(t, GP(), p, settings...)
		var trials []algorithms.Trial
		for id := uint64(1); id <= 12; id++ {
			rebuilt := newSuggester(t, GP(), p, settings...)
			rebuilt.Tell(trials)
			got, err := kept.Ask([]uint64{id}, nil)
			want, wantErr := rebuilt.Ask([]uint64{id}, nil)
			if diff := cmp.Diff(got, want, cmpopts.EquateNaNs()); diff != "" || err != nil || wantErr != nil {
				t.Fatalf("%v, trial %d: %v, %v\n%s", settings, id, err, wantErr, diff)
			}
			trial := algorithms.Trial{ID: id, Point: got[0].Point, State: algorithms.Succeeded, Losses: []float64{bowl(p.Space, got[0].Point, 0.3)}, Memo: got[0].Memo}
			kept.Tell([]algorithms.Trial{trial})
			trials, out = append(trials, trial), append(out, trial.Point)
		}
		return out
	}
	plain := walk()
	for _, name := range []string{"input_warping", "linear"} {
		if cmp.Equal(walk(algorithms.RawSetting{Name: name, Value: "true"}), plain, cmpopts.EquateNaNs()) {
			t.Errorf("%s makes no difference", name)
		}
	}
}
