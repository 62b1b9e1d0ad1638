package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/bench/fidelity"
	"github.com/tuned-hpo/tuned/bench/run"
)

const fidelityFile = "fidelity.json"

// trainers are the peers for trials that are trained epoch by epoch, which are of no use for others. Slow ones take ten seconds a study
// and more, and run when they are named.
var (
	trainers     = []string{"optuna-hyperband", "optuna-sha", "synetune-asha"}
	slowTrainers = []string{"synetune-bohb", "synetune-bore"}
)

// fidelityFlags are the flags of the fidelity command.
type fidelityFlags struct {
	suites, ours, peers, out string
	workers                  int
}

// fidelityFigures are all that the fidelity command measures.
type fidelityFigures struct {
	Made     string             `json:"made"`
	Machine  string             `json:"machine"`
	Sections []fidelity.Section `json:"sections"`
}

// fidelityCommand lets optimizers train trials epoch by epoch.
func fidelityCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var f fidelityFlags
	flags := newFlags("fidelity", "", stderr)
	flags.StringVar(&f.suites, "suite", "fidelity@4,fidelity@16", "`NAMES` of suites of learning curves, or of sets of them; NAME@16 trains 16 trials at a time")
	flags.StringVar(&f.ours, "ours", "asha,asha:sampler=random,hyperband,bohb,tpe+successivehalving:min_resource=1:reduction_factor=3", "`NAMES` of built-in algorithms that deal out epochs, or NAME+RULE, with settings after colons")
	flags.StringVar(&f.peers, "peers", "installed", "`NAMES` of peers, or none, or installed")
	flags.StringVar(&f.out, "out", filepath.Join("build", "bench"), "`FOLDER` for "+fidelityFile)
	flags.IntVar(&f.workers, "workers", 2, "studies at a time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("fidelity takes no arguments, got %q", flags.Args())
	case f.workers < 1:
		return fmt.Errorf("-workers must be at least 1, got %d", f.workers)
	}
	return f.run(ctx, stdout, stderr)
}

func (f fidelityFlags) run(ctx context.Context, stdout, stderr io.Writer) error {
	suites, err := chooseSuites(list(f.suites))
	if err != nil {
		return err
	}
	entries, err := f.entries(ctx, stderr)
	if err != nil {
		return err
	}
	kept, err := run.DefaultCache()
	if err != nil {
		return err
	}
	all := fidelityFigures{Made: time.Now().UTC().Format("2006-01-02 15:04 MST"), Machine: machine()}
	for _, s := range suites {
		todo, failures := tasks([]chosenSuite{s})
		if len(failures) > 0 {
			return errors.New(failures[0].Optimizer + " " + failures[0].Error)
		}
		if len(todo) == 0 || todo[0].Problem.Curve == nil {
			return fmt.Errorf("suite %s has no learning curves", fullName(s.Suite))
		}
		q := fidelity.Queue{Tasks: todo, Entries: entries, Kept: filepath.Join(filepath.Dir(kept), "studies"), Workers: f.workers}
		q.Progress = func(done, total int, entry string) {
			fmt.Fprintf(stderr, "\r%s@%d: %d of %d, %-60s", fullName(s.Suite), s.workers, done, total, entry)
		}
		done, err := q.Run(ctx)
		fmt.Fprintln(stderr)
		if err != nil {
			return err
		}
		section := fidelity.NewSection(fullName(s.Suite), s.workers, done)
		section.Plain(stdout)
		all.Sections = append(all.Sections, section)
	}
	return all.save(f.out)
}

// entries returns ours and the peers.
func (f fidelityFlags) entries(ctx context.Context, stderr io.Writer) ([]run.Entry, error) {
	var out []run.Entry
	var faults []error
	for _, name := range list(f.ours) {
		e, err := run.BuiltinTrainer(name)
		faults = append(faults, err)
		out = append(out, e)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	names, err := f.trainers(ctx, stderr)
	if err != nil {
		return nil, err
	}
	peers, err := startPeers(ctx, names, stderr)
	return append(out, peers...), err
}

// trainers returns the peers that are asked for. Of those that are not installed it says so.
func (f fidelityFlags) trainers(ctx context.Context, stderr io.Writer) ([]string, error) {
	if f.peers != "installed" {
		return choosePeers(ctx, list(f.peers))
	}
	installed, _, err := listPeers(ctx)
	if err != nil {
		return nil, err
	}
	var names, missing []string
	for _, name := range trainers {
		if slices.Contains(installed, name) {
			names = append(names, name)
		} else {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		fmt.Fprintf(stderr, "not installed: %s; bench/peers/install tries, and says why where it fails\n", strings.Join(missing, ", "))
	}
	return names, nil
}

// save writes the figures as JSON.
func (all *fidelityFigures) save(dir string) error {
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, fidelityFile), append(text, '\n'), 0o644)
}
