package problem

import (
	_ "embed" // for the reference losses
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// sklSpaces are the models of Bayesmark (Turner and Eriksson, the benchmark of the NeurIPS 2020
// black-box optimization challenge), with ranges like its own. Where it has a logit scale the range
// is uniform, or that of the distance to 1 logarithmic.
var sklSpaces = map[string][]searchspace.Parameter{
	"knn":    {whole("n_neighbors", 1, 25, false), whole("p", 1, 4, false)},
	"svm":    {span("C", 1e-3, 1e3, true), span("gamma", 1e-5, 10, true), span("tol", 1e-5, 1e-1, true)},
	"tree":   treeSpace(),
	"forest": treeSpace(),
	"ada":    {whole("n_estimators", 10, 100, false), span("learning_rate", 1e-4, 10, true)},
	"lasso":  linearSpace(),
	"linear": linearSpace(),
	"mlp-adam": append(networkSpace(), span("one_minus_beta_1", 0.01, 0.5, true),
		span("one_minus_beta_2", 1e-6, 0.1, true), span("epsilon", 1e-9, 1e-6, true)),
	"mlp-sgd": append(networkSpace(), span("momentum", 0.001, 0.999, false), span("power_t", 0.1, 0.9, false)),
}

func treeSpace() []searchspace.Parameter {
	return []searchspace.Parameter{
		whole("max_depth", 1, 15, false),
		span("max_features", 0.01, 0.99, false),
		span("min_samples_split", 0.01, 0.99, false),
		span("min_samples_leaf", 0.01, 0.49, false),
		span("min_weight_fraction_leaf", 0.01, 0.49, false),
		span("min_impurity_decrease", 0, 0.5, false),
	}
}

func linearSpace() []searchspace.Parameter {
	return []searchspace.Parameter{span("c", 1e-2, 1e2, true), span("tol", 1e-5, 1e-1, true), choice("fit_intercept", "yes", "no")}
}

func networkSpace() []searchspace.Parameter {
	return []searchspace.Parameter{
		whole("hidden_layer_sizes", 50, 200, false),
		span("alpha", 1e-5, 10, true),
		whole("batch_size", 10, 250, false),
		span("learning_rate_init", 1e-5, 1e-1, true),
		span("tol", 1e-5, 1e-1, true),
		span("validation_fraction", 0.1, 0.9, false),
	}
}

// sklMembers are model/data, of what there is a reference for.
func sklMembers() []string { return sortedNames(sklReference()) }

// sklReference is what a search of 90 points found, of which the first 60 are random and the
// others around the best so far: its best loss, and the median of the random ones. The test
// TestSKLReference writes it.
//
//go:embed skl_reference.json
var sklReferenceFile []byte

type sklScale struct {
	Best   float64 `json:"best"`
	Median float64 `json:"median"`
}

func sklReference() map[string]sklScale {
	var all map[string]sklScale
	if err := json.Unmarshal(sklReferenceFile, &all); err != nil {
		panic("problem: skl_reference.json: " + err.Error())
	}
	return all
}

// makeSKL makes a problem of skl: the loss of a model by cross-validation. Its regret is 0 at the
// best of the reference search, which a run may well improve on, and 1 at the median of random
// search.
func makeSKL(member string, _ int, _ uint64) (*Problem, error) {
	return newSKL(member, sklReference()[member])
}

func newSKL(member string, scale sklScale) (*Problem, error) {
	model, data, _ := strings.Cut(member, "/")
	space, err := searchspace.New(sklSpaces[model])
	if err != nil {
		return nil, fmt.Errorf("skl %s: %w", member, err)
	}
	if _, err := sklPython(); err != nil {
		return nil, err
	}
	return &Problem{
		Name:       "skl/" + member,
		Cluster:    "skl/" + member,
		Space:      space,
		Objectives: 1,
		Eval: func(p searchspace.Point, _, _ uint64) Result {
			loss, ok := sklEvaluators.evaluate(sklRequest{model, data, space, p})
			if !ok {
				return failed()
			}
			return exactly(loss)
		},
		Regret: func(loss float64) float64 {
			const worst = 2 // of normalized regrets that are averaged, also of a run of failures
			return min(worst, (loss-scale.Best)/(scale.Median-scale.Best))
		},
		Floor:   1e-3,
		Seconds: logNormalSeconds("skl/" + member),
	}, nil
}

// sklRequest asks for a point of a model's space.
type sklRequest struct {
	model, data string
	space       *searchspace.Space
	point       searchspace.Point
}

// MarshalJSON writes the request as skl.py reads it.
func (r sklRequest) MarshalJSON() ([]byte, error) {
	params := make(map[string]any)
	for i, q := range r.space.Parameters() {
		switch {
		case math.IsNaN(r.point[i]):
		case q.Kind == searchspace.Categorical:
			params[q.Name] = q.Values[int(r.point[i])]
		case q.Kind == searchspace.Int:
			params[q.Name] = int64(r.point[i])
		default:
			params[q.Name] = r.point[i]
		}
	}
	return json.Marshal(map[string]any{"model": r.model, "data": r.data, "params": params})
}
