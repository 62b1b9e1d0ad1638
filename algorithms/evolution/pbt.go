package evolution

import (
	"errors"
	"fmt"
	"path"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// PBT describes population based training: each trial trains a member of a population some way further, from
// the checkpoint of the trial before. Members that fall behind go on from the checkpoint of one that is ahead,
// with parameters like its. The settings are those of Katib's service.
func PBT() algorithms.Definition {
	folder := algorithms.Setting{
		Name: "suggestion_trial_dir", Type: algorithms.StringSetting, Dialect: "tuned",
		Help: "path at which the trial template expects the checkpoint directory of its trial",
	}
	service := folder
	service.Dialect, service.Required = "pbt", true
	return algorithms.Definition{
		Name:      "pbt",
		Summary:   "population based training: trials go on from the checkpoints of better ones",
		Reference: "Jaderberg, Dalibard, Osindero, Czarnecki et al. 2017, Population based training of neural networks, arXiv:1711.09846",
		Settings: []algorithms.Setting{
			folder, service,
			{Name: "n_population", Type: algorithms.IntSetting, Min: 5, Max: algorithms.Unbounded, Required: true, Help: "members of the population"},
			{
				Name: "truncation_threshold", Type: algorithms.FloatSetting, Max: 1, Required: true,
				Help: "share of the population that is behind, and goes on from as many that are ahead",
			},
			{
				// Katib's service knows the name and fails on every value.
				Name: "resample_probability", Type: algorithms.FloatSetting, Max: 1, Default: "0.25", Dialect: "tuned",
				Help: "probability that a parameter that is to change is drawn anew",
			},
		},
		Constraints: true,
		Check:       checkPBT,
		Advise:      advisePBT,
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return newPopulation(p, v), nil
		},
	}
}

func checkPBT(_ algorithms.Problem, v algorithms.Values) error {
	if folder := v.Text("suggestion_trial_dir", ""); folder != "" && (!path.IsAbs(folder) || path.Clean(folder) == "/") {
		return errors.New("suggestion_trial_dir must be an absolute path below /")
	}
	return nil
}

// advisePBT is [algorithms.Definition.Advise].
func advisePBT(p algorithms.Problem, v algorithms.Values) []algorithms.Advice {
	var out []algorithms.Advice
	advise := func(setting, format string, args ...any) {
		out = append(out, algorithms.Advice{Setting: setting, Text: fmt.Sprintf(format, args...)})
	}
	size, share := int(v.Int("n_population", 0)), v.Float("truncation_threshold", 0)
	if p.MaxTrials > 0 && p.MaxTrials <= size {
		advise("n_population", "the budget ends after %d trials, when no member of %d has gone on from a checkpoint: set it lower, or use more trials", p.MaxTrials, size)
	}
	if p.Parallel > size {
		advise("n_population", "%d trials may run at a time, and there are %d members, which run one at a time each: set it higher", p.Parallel, size)
	}
	switch {
	case share > 0.5:
		advise("truncation_threshold", "more than half cannot be behind: %g is taken as 0.5", share)
	case float64(share*float64(size)) < 1:
		advise("truncation_threshold", "%g of %d members is less than one, so that none goes on from another: set it higher", share, size)
	}
	return out
}

// population is PBT as a Suggester. It follows from the trials told, in the order in which they finished, and
// from those that are pending; a trial's memo says whose it is.
//
// The paper's workers are asynchronous, and so is this: whichever member is free goes on, the one with the
// fewest trials first, and is compared with the latest results of the others, whatever their number of trials.
type population struct {
	problem  algorithms.Problem
	size     int
	share    float64 // of members that are behind, and of those that are ahead; at most half
	explorer *explorer
	first    sampling.Sobol // where members begin
	random   draws
	busy     sampling.Visits // points of pending trials
	told     uint64          // trials so far
	roots    []uint64        // of all members that were told of, ascending
	members  map[uint64]*individual
	pending  map[uint64]bool // scratch: roots
	ranking  []*individual   // scratch
}

// individual is a member of the population. Its root is the ID of its first trial.
type individual struct {
	generation uint64 // how many trials it has had
	since      uint64 // when the last of these was told
	failed     bool   // the last of these came to nothing
	trial      uint64 // ID of the last one that did not, from which it may go on; 0 while there is none
	point      searchspace.Point
	standing
	lot uint64 // decides between equals, of which there are many where a metric begins at 0: by age, who is next would never be behind
}

func newPopulation(p algorithms.Problem, v algorithms.Values) *population {
	return &population{
		problem: p, size: int(v.Int("n_population", 5)), share: min(v.Float("truncation_threshold", 0), 0.5),
		explorer: newExplorer(p.Space, v.Float("resample_probability", 0.25), p.Seed),
		first:    sampling.NewSobol(min(p.Space.Len(), sampling.MaxDimensions), p.Seed),
		busy:     sampling.NewVisits(p.Space), members: make(map[uint64]*individual), pending: make(map[uint64]bool),
	}
}
