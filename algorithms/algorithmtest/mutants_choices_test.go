package algorithmtest

import (
	"errors"
	"math"

	"github.com/tuned-hpo/tuned/algorithms"
)

// chooses is a correct choice between two algorithms, of which a mutant breaks one thing.
func chooses(mutant string) func(algorithms.Problem, algorithms.Values, int) algorithms.Choice {
	return func(_ algorithms.Problem, _ algorithms.Values, finished int) algorithms.Choice {
		early := algorithms.Choice{Name: "early", Reason: "there are few trials", Until: 10}
		late := algorithms.Choice{Name: "late", Reason: "there are many trials"}
		switch mutant {
		case "chooses nobody":
			early.Name = ""
		case "chooses without a reason":
			late.Reason = ""
		case "ends a choice before it begins":
			late.Until = 5
		case "changes its mind in between":
			late.Until = 1 - finished%2
		case "changes to the same one":
			late = early
			late.Until = 20
		}
		if finished < 10 {
			return early
		}
		return late
	}
}

// remaining is a correct, if simple, expectation of further trials, of which a mutant breaks one thing.
func remaining(mutant string) func(algorithms.Problem, algorithms.Values, []algorithms.Trial, int) (algorithms.Remaining, error) {
	asked := 0
	return func(_ algorithms.Problem, _ algorithms.Values, finished []algorithms.Trial, ahead int) (algorithms.Remaining, error) {
		if len(finished) < 10 || mutant == "never expects anything" {
			return algorithms.Remaining{}, errors.New("there are too few trials")
		}
		asked++
		r := algorithms.Remaining{Trials: ahead, Improvement: 0.1 * float64(ahead), Spread: 1}
		switch mutant {
		case "expects something else when asked again":
			r.Improvement = float64(asked)
		case "expects from trials that it changes":
			finished[0].Losses[0] = -7
		case "expects of other trials":
			r.Trials++
		case "expects a loss":
			r.Improvement = -1
		case "expects everything":
			r.Improvement = math.Inf(1)
		case "expects without a scale":
			r.Spread = 0
		}
		return r, nil
	}
}
