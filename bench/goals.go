package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tuned-hpo/tuned/bench/goals"
)

// goalsCommand compares the figures in folders with the goals.
func goalsCommand(_ context.Context, args []string, stdout, stderr io.Writer) error {
	flags := newFlags("goals", "[FOLDER...]", stderr)
	ours := flags.String("ours", "bayesianoptimization", "`NAME` of the optimizer that the goals are for")
	asJSON := flags.Bool("json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dirs := flags.Args()
	if len(dirs) == 0 {
		dirs = []string{filepath.Join("build", "bench")}
	}
	f := goals.Figures{Ours: *ours}
	for _, dir := range dirs {
		if err := readFigures(dir, &f); err != nil {
			return err
		}
	}
	rows := goals.Rows(f)
	if *asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", " ")
		return e.Encode(rows)
	}
	goals.Table(rows).Plain(stdout)
	fmt.Fprintln(stdout, "That the same seed and results give the same suggestions is proved by the tests of each algorithm.")
	return nil
}

// readFigures adds what run, latency and fidelity left in a folder.
func readFigures(dir string, f *goals.Figures) error {
	r, missing := readReport(dir)
	switch {
	case missing == nil:
		f.Reports = append(f.Reports, r)
	case !errors.Is(missing, fs.ErrNotExist):
		return missing
	}
	var costs figures
	found, err := readJSON(filepath.Join(dir, latencyFile), &costs)
	if err != nil {
		return err
	}
	var curves fidelityFigures
	also, err := readJSON(filepath.Join(dir, fidelityFile), &curves)
	if err != nil {
		return err
	}
	if missing != nil && !found && !also {
		return missing // there must be one of the three
	}
	f.Ladders, f.Firsts, f.Studies = append(f.Ladders, costs.Ladders...), append(f.Firsts, costs.Firsts...), append(f.Studies, costs.Studies...)
	f.Curves = append(f.Curves, curves.Sections...)
	return nil
}

// readJSON reads a file, if there is one.
func readJSON(file string, to any) (found bool, err error) {
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	if err := json.Unmarshal(text, to); err != nil {
		return false, fmt.Errorf("read %s: %w", file, err)
	}
	return true, nil
}
