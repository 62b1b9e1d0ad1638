package main

import (
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// validation is the outcome of validating one file, as programs get it.
type validation struct {
	File       string  `json:"file"`
	Experiment string  `json:"experiment"` // namespace/name; "" when the file cannot be read
	Valid      bool    `json:"valid"`
	Faults     []fault `json:"faults"`
	Warnings   []fault `json:"warnings"`
}

// fault is one fault or warning, as programs get it.
type fault struct {
	Line    int                  `json:"line"` // from 1; 0 when not known
	Column  int                  `json:"column"`
	Path    string               `json:"path"`
	Type    experiment.FaultType `json:"type"`
	Detail  string               `json:"detail"`
	Value   string               `json:"value,omitempty"`
	Nearest string               `json:"nearest,omitempty"`
}

func (a *app) validateCommand() *cobra.Command {
	var strict, command bool
	var templates, format string
	c := &cobra.Command{
		Use:        "validate FILE...",
		SuggestFor: []string{"check", "lint"},
		Short:      "Check experiments and report every fault",
		Long: `Check experiments and report every fault with file, line and column, and the
nearest known name. - reads standard input. Exit code 2 when any file has a fault.`,
		Args: words(1, math.MaxInt, "FILE..."),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.validate(args, options(strict, command, templates), format)
		},
	}
	c.Flags().BoolVar(&strict, "strict", false, "take unknown fields and aliases for faults")
	c.Flags().BoolVar(&command, "command", false, "a command after -- will replace the trial template")
	c.Flags().StringVar(&templates, "template-dir", "", "folder that stands in for ConfigMaps: `DIR`/NAMESPACE/NAME.yaml")
	formatFlag(c, &format, nil, "text", "json")
	return c
}

func (a *app) validate(files []string, o experiment.Options, format string) error {
	results := []validation{}
	valid := true
	for _, file := range files {
		text, err := readInput(file, a.stdin)
		if err != nil {
			return err
		}
		r := experiment.Read(named(file), text, o)
		valid = valid && len(r.Faults) == 0
		if format == "text" {
			a.printValidation(named(file), r)
		}
		results = append(results, newValidation(named(file), r))
	}
	if format == "json" {
		if err := printAs(a.stdout, format, results); err != nil {
			return err
		}
	}
	if !valid {
		return exit{exitUsage, nil}
	}
	return nil
}

func (a *app) printValidation(file string, r experiment.Result) {
	for _, f := range r.Faults {
		fmt.Fprintln(a.text(), f)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(a.text(), "%v (warning)\n", w)
	}
	if len(r.Faults) == 0 {
		fmt.Fprintf(a.text(), "%s: ok: %s\n", file, r.Experiment.Key())
	}
}

func newValidation(file string, r experiment.Result) validation {
	v := validation{File: file, Valid: len(r.Faults) == 0, Faults: newFaults(r.Faults), Warnings: newFaults(r.Warnings)}
	if r.Experiment != nil {
		v.Experiment = r.Experiment.Key().String()
	}
	return v
}

func newFaults(list experiment.Faults) []fault {
	out := make([]fault, len(list))
	for i, f := range list {
		out[i] = fault{f.Line, f.Column, f.Path, f.Type, f.Detail, f.Value, f.Nearest}
	}
	return out
}
