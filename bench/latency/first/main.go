// Command first makes an algorithm for a space of 10 dimensions, asks it once and prints the point:
// what a fresh process needs for its first suggestion.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "first:", err)
		os.Exit(1)
	}
}

func run(name string) error {
	def, err := builtin.Registry().Lookup(name)
	if err != nil {
		return err
	}
	values, err := algorithms.Parse(def, nil, "")
	if err != nil {
		return err
	}
	params := make([]searchspace.Parameter, 10)
	for i := range params {
		params[i] = searchspace.Parameter{Name: string(rune('a' + i)), Kind: searchspace.Double, Max: 1}
	}
	space, err := searchspace.New(params)
	if err != nil {
		return err
	}
	s, err := algorithms.New(def, algorithms.Problem{Space: space, Objectives: 1, Seed: 1, MaxTrials: 100, Parallel: 1}, values)
	if err != nil {
		return err
	}
	out, err := s.Ask([]uint64{1}, nil)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out[0].Point)
}
