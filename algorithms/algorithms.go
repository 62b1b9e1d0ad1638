// Package algorithms is the contract between the tuner and the mathematics: what an algorithm
// says about itself (Definition), what it is asked to solve (Problem), and how it is asked
// (Suggester, Pruner). Package builtin holds the list of those that are compiled in.
package algorithms

import (
	"errors"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Reasons why an Ask is answered with fewer suggestions than it asked for.
var (
	// ErrExhausted says that the algorithm has no further point to suggest, now or later.
	ErrExhausted = errors.New("search space exhausted")
	// ErrWait says that the algorithm waits for pending trials: once one of them has been told,
	// it is worth asking again. It is never answered while none is pending.
	ErrWait = errors.New("waiting for pending trials")
)

// ErrLost says that a Suggester is of no use any more, through no fault of the algorithm: the process
// that it lives in has ended or does not answer. Another one, rebuilt from history, can be asked.
var ErrLost = errors.New("the instance is lost")

// State is what became of a trial, as far as an algorithm needs to know.
type State uint8

// The states of a told or pending trial.
const (
	Pending   State = iota // suggested, not finished
	Succeeded              // Losses are final; a NaN among them means that the trial diverged
	Pruned                 // stopped early; Losses hold the last known values
	Failed                 // no result; Losses are all NaN
)

// Problem is what a Suggester is made for. It never changes during the life of the Suggester.
type Problem struct {
	Space       *searchspace.Space
	Objectives  int    // number of losses per trial, at least 1
	Constraints int    // number of constraint values per trial; a trial is feasible when all are <= 0
	Seed        uint64 // all randomness is a function of (Seed, trial ID)
	MaxTrials   int    // budget; 0 means unlimited
	Parallel    int    // trials that run at the same time, at least 1
	// Maximized says that the first loss is a metric's value with its sign turned. Only what people read
	// or write in the metric's own units needs to know.
	Maximized bool
	// Priors are earlier experiments to learn from. Their losses need not be on the scale of this
	// problem's; an algorithm that cannot use them ignores them.
	Priors []Prior
}

// Prior is what an earlier experiment over the same space found.
type Prior struct {
	Name   string
	Trials []Trial // finished, in the order in which they finished
}

// Trial is one trial as an algorithm sees it.
type Trial struct {
	ID          uint64 // unique in the experiment, counts from 1 in the order of suggestion
	Point       searchspace.Point
	State       State
	Losses      []float64     // one per objective, always minimised
	Constraints []float64     // one per constraint, feasible when <= 0
	Curve       []Measurement // intermediate values of the first objective, by ascending Step
	Memo        []byte        // what the Suggestion carried
}

// Measurement is one intermediate value of a trial's first objective.
type Measurement struct {
	Step int64   // counts from 1 by report unless the training program gave its own
	Loss float64 // minimised
}

// Suggestion is a point to try.
type Suggestion struct {
	ID    uint64 // the ID asked for
	Point searchspace.Point
	Memo  []byte // opaque to the tuner; comes back in the Trial; nil for none
	// Parent is the ID of the earlier trial whose checkpoint this one goes on from, so that what that
	// one has trained is not trained anew; 0 for none. Programs that keep no checkpoints start afresh.
	Parent uint64
}

// Suggester proposes points for one Problem.
//
// The tuner calls Tell with each finished trial exactly once, in the order in which the trials
// finished, and Ask whenever it wants trials; never concurrently. Any Suggester may be dropped
// at any moment and rebuilt by Definition.New and one Tell of the whole history: the rebuilt one
// must answer the next Ask as the dropped one would have. Slices passed in belong to the caller
// and are not kept; slices returned belong to the caller.
//
// One that lives in another process is an io.Closer too: Close frees at once, also during a call, what
// is freed some time after it was dropped otherwise. It answers Ask with ErrLost when it is lost, which Tell
// cannot say.
type Suggester interface {
	// Tell reports finished trials. It never fails: a trial it cannot use (NaN loss, a point of
	// another space) is ignored or treated as a bad one.
	Tell(finished []Trial)

	// Ask returns one Suggestion per id, in the order of ids, given the trials that are pending, whose
	// order makes no difference.
	// It returns the first of them with ErrExhausted or ErrWait when it has no more; the ids left
	// over are asked for again later. Suggestions of one call differ from each other and from
	// pending points as far as the space has room.
	Ask(ids []uint64, pending []Trial) ([]Suggestion, error)
}

// Fitter is implemented by a Suggester that fits a model to what it was told. An algorithm reads no clock: it says when
// it fits, and who wants to know how long that takes measures it.
type Fitter interface {
	// OnFit sets what is called when a fit begins; what that returns is called when the fit ends, which is before the
	// next one begins and before Tell or Ask returns. Suggestions do not hang on it. It is called before the first Tell.
	OnFit(begin func() (end func()))
}

// Advice is a warning about a setting or the budget: the problem is solved, but not as one might think.
type Advice struct {
	Setting string // its name; "" for the budget
	Text    string // what happens, and what to do; for a person, in lower case
}

// Choice is the algorithm that suggests the next trial, where one chooses among others.
type Choice struct {
	Name   string // of the algorithm
	Reason string // why it is the one; for a person, in lower case
	Until  int    // number of finished trials from which on it is another one; 0: it stays
}

// Remaining is what a model expects of further trials.
type Remaining struct {
	Trials      int     // that were looked ahead
	Improvement float64 // expected of them altogether: of the best loss, in the units of Trial.Losses; at least 0
	Spread      float64 // interquartile range of the finite losses so far, above 0: what the improvement is held against
}

// Definition is all that the daemon, validation, docs, UI and bench know of an algorithm.
type Definition struct {
	Name      string
	Aliases   []string           // further names, Katib's among them
	Summary   string             // one line
	Reference string             // paper or book; "" when there is none to cite
	Kinds     []searchspace.Kind // of parameter that it can work on; nil means all
	Settings  []Setting
	Curves    bool // Tell needs Trial.Curve; it is empty otherwise
	Seedless  bool // nothing is random: every seed gives the same suggestions
	// What of a Problem the algorithm does justice to; users who state more are told that it is not
	// looked at. A method that does not look at results at all serves every objective as well as one.
	Objectives  bool // all objectives, not the first one alone
	Constraints bool // which trials are feasible
	Priors      bool // Problem.Priors
	// Check reports what Settings cannot express: rules over several settings, the space or the
	// budget. Nil means nothing more to check. The error is for the user.
	Check func(Problem, Values) error
	// Advise returns what users should know of settings that pass Check: those that have no effect, or
	// none within the budget. It is a function of its arguments. Nothing is advised against the defaults,
	// as long as the budget is unlimited. Nil means that there is nothing to say.
	Advise func(Problem, Values) []Advice
	// Insight says what the model makes of finished trials, in the order in which they finished. It is
	// a function of its arguments, may be called concurrently, and is an error where there is too
	// little to make a model of. Nil means that there is no model to show.
	Insight func(p Problem, v Values, finished []Trial) (Insight, error)
	// Remaining says what the next trials are expected to improve, by a model of the finished ones in the order in which
	// they finished, looking so many trials ahead. It is a function of its arguments, may be called concurrently, and is
	// an error where there is too little to say. Nil means that the algorithm cannot say.
	Remaining func(p Problem, v Values, finished []Trial, ahead int) (Remaining, error)
	// Chooses says which algorithm suggests the next trial when so many have finished, those that failed among them. It
	// is a function of its arguments. Nil means that the algorithm does not choose among others.
	Chooses func(p Problem, v Values, finished int) Choice
	// New makes a Suggester. Nil means that the name is known but the algorithm is not built yet.
	New func(Problem, Values) (Suggester, error)
}
