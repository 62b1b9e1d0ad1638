package problem

import (
	"cmp"
	"encoding/json"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/internal/golden"
	"github.com/tuned-hpo/tuned/internal/testenv"
)

// sklData are the data sets that scikit-learn brings along.
var sklData = []string{"breast_cancer", "diabetes", "digits", "iris", "wine"}

var only = flag.String("model", "", "the one model to -update")

func needSKL(t *testing.T) {
	t.Helper()
	if _, err := sklPython(); err != nil {
		testenv.Skip(t, err.Error())
	}
}

// TestSKLReference checks that each reference is of a model and data set there is, and leaves
// something to search for; with -update it writes those of one model or all, which takes some minutes.
func TestSKLReference(t *testing.T) {
	if golden.Update() {
		needSKL(t)
		updateSKL(t)
		return
	}
	for member, s := range sklReference() {
		model, data, _ := strings.Cut(member, "/")
		if sklSpaces[model] == nil || !slices.Contains(sklData, data) || !(s.Best < s.Median) {
			t.Errorf("%s: reference is %+v", member, s)
		}
	}
}

func updateSKL(t *testing.T) {
	t.Helper()
	all := sklReference()
	for _, model := range sortedNames(sklSpaces) {
		for _, data := range sklData {
			if *only == "" || *only == model {
				all[model+"/"+data] = searchSKL(t, model+"/"+data)
			}
		}
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("skl_reference.json", append(text, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

// searchSKL searches as sklReference says.
func searchSKL(t *testing.T, member string) sklScale {
	t.Helper()
	p, err := newSKL(member, sklScale{})
	if err != nil {
		t.Fatal(err)
	}
	source := rand.New(rand.NewPCG(1, 1))
	best, least := make([]float64, p.Space.Len()), math.Inf(1)
	u := make([]float64, len(best))
	var losses []float64
	for k := range 90 {
		for i := range u {
			if u[i] = source.Float64(); k >= 60 {
				u[i] = best[i] + 0.1*source.NormFloat64()
			}
		}
		loss := p.Eval(p.Space.Decode(u), 0, 0).True[0]
		if k < 60 {
			losses = append(losses, loss)
		}
		if loss < least {
			copy(best, u)
			least = loss
		}
	}
	slices.SortFunc(losses, cmp.Compare)
	t.Logf("%s: best %g, median %g", member, least, losses[30])
	return sklScale{Best: least, Median: losses[30]}
}

// TestSKL evaluates a good and a bad point of one model, and one that cannot be fitted.
func TestSKL(t *testing.T) {
	needSKL(t)
	p := one(t, "skl", "lasso/iris", 0, 0)
	const yes = 0
	good := p.Eval([]float64{10, 1e-3, yes}, 0, 0)
	bad := p.Eval([]float64{0.01, 1e-3, yes}, 1, 1)
	// A classifier that knows nothing of three kinds has the loss ln 3, which is 1.1.
	if !(good.Losses[0] < 0.3 && bad.Losses[0] > 2*good.Losses[0] && bad.Losses[0] < 1.2) {
		t.Errorf("losses are %g and %g", good.Losses[0], bad.Losses[0])
	}
	if _, ok := sklEvaluators.evaluate(sklRequest{"lasso", "iris", p.Space, []float64{-1, 1e-3, yes}}); ok {
		t.Error("a model with a negative strength has a loss")
	}
	if again := p.Eval([]float64{10, 1e-3, yes}, 2, 2); again.Losses[0] != good.Losses[0] {
		t.Errorf("losses of one point are %g and %g", good.Losses[0], again.Losses[0])
	}
	if got := p.Regret(math.Inf(1)); got != 2 {
		t.Errorf("regret of a run of failures is %g", got)
	}
}
