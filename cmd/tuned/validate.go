package main

import (
	"fmt"
	"math"
	"strings"

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
	formatFlag(c, &format, printing(shapeOf[[]validation]()), "table", "json", "yaml", "csv", jsonPath)
	return c
}

// validate checks all files, also where some cannot be read.
func (a *app) validate(files []string, o experiment.Options, format string) error {
	results := []validation{}
	valid := true
	for _, file := range files {
		r := a.validateFile(file, o)
		valid = valid && len(r.Faults) == 0
		if format == "table" {
			a.printValidation(named(file), r)
		}
		results = append(results, newValidation(named(file), r))
	}
	var err error
	switch format {
	case "table": // printed as it came
	case "csv":
		err = tableOf(validationRows(results)...).print(a.stdout, format)
	default:
		err = printAs(a.stdout, format, results)
	}
	if err == nil && !valid {
		return exit{exitUsage, nil}
	}
	return err
}

// unreadable is the type of the fault of a file that cannot be read.
const unreadable experiment.FaultType = "FileUnreadable"

// validateFile reads a file; that it cannot be read is a fault as others are.
func (a *app) validateFile(file string, o experiment.Options) experiment.Result {
	text, err := inputText(file, a.stdin)
	if err == nil {
		return experiment.Read(named(file), text, o)
	}
	detail := strings.TrimPrefix(plainText(err), file+": ")
	return experiment.Result{Faults: experiment.Faults{{File: named(file), Type: unreadable, Detail: detail}}}
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

// validationRow is a fault or a warning, or that a file has no faults, as a row of csv.
type validationRow struct {
	File       string `json:"file"`
	Experiment string `json:"experiment"`
	Outcome    string `json:"outcome"` // fault, warning or ok
	fault
}

func validationRows(results []validation) (rows []validationRow) {
	for _, v := range results {
		for _, f := range v.Faults {
			rows = append(rows, validationRow{v.File, v.Experiment, "fault", f})
		}
		for _, w := range v.Warnings {
			rows = append(rows, validationRow{v.File, v.Experiment, "warning", w})
		}
		if v.Valid {
			rows = append(rows, validationRow{v.File, v.Experiment, "ok", fault{}})
		}
	}
	return rows
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
