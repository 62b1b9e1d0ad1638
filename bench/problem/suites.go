package problem

import (
	_ "embed" // for suites.json
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:embed suites.json
var suitesFile []byte

// Suite is one row of suites.json: problems of a family, and how often each is run.
type Suite struct {
	Set       string    `json:"set"`                 // "quick", "full", "slow", "claim" ...
	Name      string    `json:"name"`                // unique within the set
	Family    string    `json:"family"`              // one of Families
	Members   []string  `json:"members,omitempty"`   // of the family; nil means all
	Dimension int       `json:"dimension,omitempty"` // 0 where the family fixes it
	Instances [2]uint64 `json:"instances,omitzero"`  // first and last; zero where the family has one
	Budget    int       `json:"budget"`              // evaluations per run
	Seeds     [2]uint64 `json:"seeds"`               // first and last seed of the runs of each problem
}

// Suites returns every suite, in the order of suites.json.
func Suites() []Suite {
	var suites []Suite
	if err := json.Unmarshal(suitesFile, &suites); err != nil {
		panic("problem: suites.json: " + err.Error())
	}
	return suites
}

// Problems returns the problems of the suite. The error says what is not installed, and how to
// install it.
func (s Suite) Problems() ([]*Problem, error) {
	f, ok := families[s.Family]
	if !ok {
		return nil, fmt.Errorf("suite %s: family %q is not one of %s", s.Name, s.Family, strings.Join(Families(), ", "))
	}
	members := s.Members
	if members == nil {
		members = f.members
	}
	var problems []*Problem
	for _, m := range members {
		if !slices.Contains(f.members, m) {
			return nil, fmt.Errorf("suite %s: family %s has no member %q, only %s", s.Name, s.Family, m, strings.Join(f.members, ", "))
		}
		for i := s.Instances[0]; i <= s.Instances[1]; i++ {
			p, err := f.make(m, s.Dimension, i)
			if err != nil {
				return nil, fmt.Errorf("suite %s: %w", s.Name, err)
			}
			p.Budget = s.Budget
			problems = append(problems, p)
		}
	}
	return problems, nil
}

// SeedList returns the seeds with which each problem is run.
func (s Suite) SeedList() []uint64 {
	var seeds []uint64
	for seed := s.Seeds[0]; seed <= s.Seeds[1]; seed++ {
		seeds = append(seeds, seed)
	}
	return seeds
}

// family is a set of problems of one make.
type family struct {
	members []string
	make    func(member string, dimension int, instance uint64) (*Problem, error)
}

var families = map[string]family{
	"bbob24":      {bbobMembers(), makeBBOB},
	"mixint24":    {bbobMembers(), makeMixint},
	"cat24":       {bbobMembers(), makeCat},
	"noisy24-1":   {bbobMembers(), makeNoisy("noisy24-1", 0.01)},
	"noisy24-30":  {bbobMembers(), makeNoisy("noisy24-30", 0.3)},
	"fail24":      {bbobMembers(), makeFail},
	"chance24-15": {bbobMembers(), makeChance("chance24-15", 0.15)},
	"chance24-50": {bbobMembers(), makeChance("chance24-50", 0.5)},
	"outlier24":   {bbobMembers(), makeOutlier},
	"curves24":    {bbobMembers(), makeCurves},
	"cond8":       {sortedNames(trees), makeCond},
	"hpotab15":    {sortedNames(tables), makeTable},
	"constrained": {sortedNames(bounds), makeBounded},
	"skl":         {sklMembers(), makeSKL},
	"multi":       {sortedNames(multis), makeMulti},
}

// Families returns the names of the families, sorted.
func Families() []string { return sortedNames(families) }

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
