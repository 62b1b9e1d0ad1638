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
	"runtime"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/bench/report"
	"github.com/tuned-hpo/tuned/bench/run"
)

const (
	runsFile   = "runs.jsonl.gz"
	reportFile = "report.json"
)

// runFlags are the flags of the run command.
type runFlags struct {
	suites, ours, peers, baseline, out, keep string
	workers                                  int
	fresh                                    bool
}

// runCommand lets optimizers work on suites, and reports.
func runCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var f runFlags
	flags := newFlags("run", "", stderr)
	flags.StringVar(&f.suites, "suite", "quick", "`NAMES` of suites, or of sets of them, separated by commas; NAME@8 runs 8 trials at a time")
	flags.StringVar(&f.ours, "ours", "bayesianoptimization,tpe", "`NAMES` of built-in algorithms, with settings as in gp:trust_region=false")
	flags.StringVar(&f.peers, "peers", "installed", "`NAMES` of peers, or none, or installed")
	flags.StringVar(&f.baseline, "baseline", "", "`NAME` of the optimizer that progress compares the first of ours with, or none (default: optuna-gp if it takes part, else random)")
	flags.StringVar(&f.out, "out", filepath.Join("build", "bench"), "`FOLDER` for the report")
	flags.StringVar(&f.keep, "keep", "", "`FOLDER` to keep new runs of peers in, such as bench/trajectories (default: the user's cache)")
	flags.IntVar(&f.workers, "workers", 2, "runs at a time")
	flags.BoolVar(&f.fresh, "fresh", false, "run again what is kept from earlier")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("run takes no arguments, got %q", flags.Args())
	case f.workers < 1:
		return fmt.Errorf("-workers must be at least 1, got %d", f.workers)
	}
	return f.run(ctx, stdout, stderr)
}

func (f runFlags) run(ctx context.Context, stdout, stderr io.Writer) error {
	peers, err := choosePeers(ctx, list(f.peers))
	if err != nil {
		return err
	}
	if f.baseline, err = chooseBaseline(f.baseline, list(f.ours), peers); err != nil {
		return err
	}
	queue, failures, err := f.queue(ctx, peers, stderr)
	if err != nil {
		return err
	}
	for _, e := range queue.Entries {
		version := e.Version
		if e.Fault != nil {
			version = "cannot be started: " + e.Fault.Error()
		}
		fmt.Fprintf(stderr, "  %-28s %s\n", e.Name, version)
	}
	p := newProgress(stderr, first(list(f.ours)), f.baseline)
	queue.Progress = p.take
	begin := time.Now()
	runs, failed, err := queue.Run(ctx)
	p.end()
	if len(runs) == 0 {
		return errors.Join(err, nothing(append(failures, failed...)))
	}
	r := report.New(runs, append(failures, failed...))
	r.Made = begin.UTC().Format("2006-01-02 15:04 MST")
	r.Machine = machine() + fmt.Sprintf(", %d runs at a time, %s", f.workers, time.Since(begin).Round(time.Second))
	err = errors.Join(err, save(f.out, r, runs))
	show(f.out, r, stdout)
	if ctx.Err() != nil {
		return errors.New("interrupted; the runs so far are kept, and the same command goes on from there")
	}
	return err
}

// nothing says why there is nothing to report.
func nothing(failures []run.Failure) error {
	lines := []string{"no run succeeded"}
	for _, f := range failures {
		lines = append(lines, f.Optimizer+": "+f.Error)
	}
	return errors.New(strings.Join(lines, "\n  "))
}

// queue reads the flags into the runs that they ask for.
func (f runFlags) queue(ctx context.Context, peers []string, stderr io.Writer) (*run.Queue, []run.Failure, error) {
	suites, err := chooseSuites(list(f.suites))
	if err != nil {
		return nil, nil, err
	}
	entries, err := chooseEntries(ctx, list(f.ours), peers, stderr)
	if err != nil {
		return nil, nil, err
	}
	todo, failures := tasks(suites)
	cache, err := openCache(f.keep)
	if err != nil {
		return nil, nil, err
	}
	return &run.Queue{Tasks: todo, Entries: entries, Cache: cache, Fresh: f.fresh, Workers: f.workers}, failures, nil
}

// openCache opens the kept runs: those of this machine, and those that came with the repository.
func openCache(keep string) (*run.Cache, error) {
	user, err := run.DefaultCache()
	if err != nil {
		return nil, err
	}
	peers, err := peersFolder()
	if err != nil {
		return nil, err
	}
	c := run.NewCache(user, filepath.Join(filepath.Dir(peers), "trajectories"))
	c.KeepPeers(keep)
	const days = 3
	return c, c.Forget(time.Now().Add(-days * 24 * time.Hour).Unix())
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// machine says what the figures were measured on.
func machine() string {
	name := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d CPUs, %s", name, runtime.NumCPU(), runtime.Version())
}

// save writes the runs and the figures into a folder.
func save(dir string, r *report.Report, runs []*run.Trajectory) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, runsFile))
	if err != nil {
		return err
	}
	if err := errors.Join(run.WriteTrajectories(f, runs), f.Close()); err != nil {
		return fmt.Errorf("write the runs: %w", err)
	}
	return saveReport(dir, r, runs)
}

// saveReport writes what is computed from the runs: JSON, Markdown and plots.
func saveReport(dir string, r *report.Report, runs []*run.Trajectory) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	var markdown strings.Builder
	r.Markdown(&markdown)
	return errors.Join(
		os.WriteFile(filepath.Join(dir, reportFile), append(text, '\n'), 0o644),
		os.WriteFile(filepath.Join(dir, "report.md"), []byte(markdown.String()), 0o644),
		report.Plots(runs, dir),
	)
}

// show prints the report.
func show(dir string, r *report.Report, stdout io.Writer) {
	r.Plain(stdout)
	fmt.Fprintf(stdout, "the runs, report.json, report.md and plots are in %s\n", dir)
}

// reportCommand reports once more what run left in a folder.
func reportCommand(_ context.Context, args []string, stdout, stderr io.Writer) error {
	flags := newFlags("report", "FOLDER", stderr)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("report wants one folder, got %q", flags.Args())
	}
	dir := flags.Arg(0)
	old, err := readReport(dir)
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(dir, runsFile))
	if err != nil {
		return err
	}
	defer f.Close()
	runs, err := run.ReadTrajectories(f)
	if err != nil {
		return fmt.Errorf("read the runs: %w", err)
	}
	r := report.New(runs, old.Failures)
	r.Made, r.Machine = old.Made, old.Machine
	err = saveReport(dir, r, runs)
	show(dir, r, stdout)
	return err
}

// readReport reads the figures in a folder.
func readReport(dir string) (*report.Report, error) {
	text, err := os.ReadFile(filepath.Join(dir, reportFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no report: make one with go run ./bench run -out %s (%w)", dir, dir, fs.ErrNotExist)
	} else if err != nil {
		return nil, err
	}
	r := new(report.Report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, reportFile), err)
	}
	return r, nil
}
