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

// readFigures adds what run and latency left in a folder.
func readFigures(dir string, f *goals.Figures) error {
	r, err := readReport(dir)
	switch {
	case err == nil:
		f.Reports = append(f.Reports, r)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	text, fault := os.ReadFile(filepath.Join(dir, latencyFile))
	switch {
	case errors.Is(fault, fs.ErrNotExist):
		return err // there must be one of the two
	case fault != nil:
		return fault
	}
	var all figures
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Join(dir, latencyFile), err)
	}
	f.Ladders, f.Firsts, f.Studies = append(f.Ladders, all.Ladders...), append(f.Firsts, all.Firsts...), append(f.Studies, all.Studies...)
	return nil
}
