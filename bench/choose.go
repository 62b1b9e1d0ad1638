package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/bench/problem"
	"github.com/tuned-hpo/tuned/bench/report"
	"github.com/tuned-hpo/tuned/bench/run"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// chosenSuite is a suite and how many trials run at a time.
type chosenSuite struct {
	problem.Suite
	workers int
}

// fullName is unique among all sets.
func fullName(s problem.Suite) string { return s.Set + "/" + s.Name }

// chooseSuites reads a list of suites: "quick" is all of a set, "quick/bbob24" or "bbob24" one, and
// "bbob24@8" the same with 8 trials at a time.
func chooseSuites(names []string) ([]chosenSuite, error) {
	var out []chosenSuite
	for _, name := range names {
		plain, workers, err := cutWorkers(name)
		if err != nil {
			return nil, err
		}
		found, err := findSuites(plain)
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			out = append(out, chosenSuite{s, workers})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no suite is chosen; go run ./bench list names them")
	}
	return out, nil
}

func cutWorkers(name string) (plain string, workers int, err error) {
	plain, number, given := strings.Cut(name, "@")
	if !given {
		return name, 1, nil
	}
	if workers, err = strconv.Atoi(number); err != nil || workers < 1 {
		return "", 0, fmt.Errorf("suite %s: the number of workers after @ must be at least 1, got %q", name, number)
	}
	return plain, workers, nil
}

// findSuites returns the suites of a set, or the one of a name.
func findSuites(name string) ([]problem.Suite, error) {
	var set, named []problem.Suite
	var known []string
	for _, s := range problem.Suites() {
		if s.Set == name {
			set = append(set, s)
		}
		if s.Name == name || fullName(s) == name {
			named = append(named, s)
		}
		known = append(known, fullName(s))
	}
	switch {
	case len(set) > 0:
		return set, nil
	case len(named) == 1:
		return named, nil
	case len(named) > 1:
		return nil, fmt.Errorf("suite %s is in several sets; write %s or %s", name, fullName(named[0]), fullName(named[1]))
	}
	return nil, fmt.Errorf("no suite or set %q; there are quick, full, slow, long, claim and of these %s", name, strings.Join(known, ", "))
}

// tasks returns the runs of the suites. A suite that cannot be had is a failure, and left out.
func tasks(suites []chosenSuite) ([]run.Task, []run.Failure) {
	var out []run.Task
	var failures []run.Failure
	for _, s := range suites {
		problems, err := s.Problems()
		if err != nil {
			failures = append(failures, run.Failure{Optimizer: "suite " + fullName(s.Suite), Error: "cannot be had: " + err.Error()})
			continue
		}
		for _, seed := range s.SeedList() {
			for _, p := range problems {
				out = append(out, run.Task{Suite: fullName(s.Suite), Hash: p.Hash(), Problem: p, Seed: seed, Workers: s.workers})
			}
		}
	}
	return out, failures
}

// chooseEntries returns random search, ours and the peers, in this order.
func chooseEntries(ctx context.Context, ours, peers []string, stderr io.Writer) ([]run.Entry, error) {
	out, err := chooseOurs(ours)
	if err != nil {
		return nil, err
	}
	entries, err := startPeers(ctx, peers, stderr)
	return append(out, entries...), err
}

// chooseOurs returns built-in algorithms, random search first if it is not among them.
func chooseOurs(ours []string) ([]run.Entry, error) {
	if !slices.Contains(ours, report.Random) {
		ours = append([]string{report.Random}, ours...)
	}
	var out []run.Entry
	var faults []error
	for _, name := range ours {
		e, err := run.Builtin(name)
		faults = append(faults, err)
		out = append(out, e)
	}
	return out, errors.Join(faults...)
}

// startPeers returns the peers that choosePeers named. One that cannot be started is an entry with a
// fault.
func startPeers(ctx context.Context, peers []string, stderr io.Writer) ([]run.Entry, error) {
	if len(peers) == 0 {
		return nil, nil
	}
	dir, err := peersFolder()
	if err != nil {
		return nil, err
	}
	var out []run.Entry
	for _, name := range peers {
		fmt.Fprintf(stderr, "starting %s ...\n", name)
		e := run.Peer(ctx, name, filepath.Join(dir, "run"), name)
		if ctx.Err() != nil {
			return nil, errors.New("interrupted")
		}
		driver, err := driverHash(dir, name)
		if err != nil {
			return nil, err
		}
		if e.Version != "" {
			e.Version += ", driver " + driver
		}
		if name == "optuna-tpe-group" && slices.Contains(peers, "optuna-tpe") {
			e.Takes = groupsMatter
		}
		if strings.Contains(name, "-nsga") {
			e.Takes = func(t run.Task) bool { return t.Problem.Objectives > 1 }
		}
		out = append(out, e)
	}
	return out, nil
}

// groupsMatter tells whether optuna-tpe-group can differ from optuna-tpe, so that one optimizer does not
// count as two. Groups are parameters that are active together, of which there is one unless a parameter
// depends on another; without groups, several objectives have each parameter modelled alone.
func groupsMatter(t run.Task) bool {
	depends := func(p searchspace.Parameter) bool { return p.ActiveWhen != nil }
	return t.Problem.Objectives > 1 || slices.ContainsFunc(t.Problem.Space.Parameters(), depends)
}

// choosePeers returns the names of peers, sorted, with "installed" replaced by those that are.
func choosePeers(ctx context.Context, peers []string) ([]string, error) {
	if len(peers) == 0 {
		return nil, nil
	}
	installed, known, err := listPeers(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range peers {
		switch near := algorithms.Nearest(name, known); {
		case name == "installed":
			out = append(out, slices.DeleteFunc(slices.Clone(installed), func(name string) bool { return slices.Contains(trainers, name) || slices.Contains(slowTrainers, name) })...)
		case slices.Contains(known, name):
			out = append(out, name)
		case near != "":
			return nil, fmt.Errorf("unknown peer %q, did you mean %q?", name, near)
		default:
			return nil, fmt.Errorf("unknown peer %q, known are %s", name, strings.Join(known, ", "))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// chooseBaseline returns whom progress compares ours with: one that takes part, or "" for nobody.
func chooseBaseline(name string, ours, peers []string) (string, error) {
	const usual = "optuna-gp"
	switch {
	case name == "none":
		return "", nil
	case name == "" && slices.Contains(peers, usual):
		return usual, nil
	case name == "" || name == report.Random: // which always takes part
		return report.Random, nil
	case slices.Contains(ours, name) || slices.Contains(peers, name):
		return name, nil
	}
	return "", fmt.Errorf("the baseline %q takes no part: name it in -ours or -peers", name)
}

// listPeers asks the script that knows for the peers that are installed, and for all there are.
func listPeers(ctx context.Context) (installed, known []string, err error) {
	dir, err := peersFolder()
	if err != nil {
		return nil, nil, err
	}
	ask := func(what string) []string {
		text, fault := exec.CommandContext(ctx, filepath.Join(dir, "run"), what).Output()
		if fault != nil {
			err = fmt.Errorf("list the peers: %w", fault)
		}
		return strings.Fields(string(text))
	}
	installed, known = ask("--list"), ask("--all")
	return installed, known, err
}

// driverHash tells one version of a peer's driver from another.
func driverHash(dir, peer string) (string, error) {
	family, _, _ := strings.Cut(peer, "-")
	files, err := filepath.Glob(filepath.Join(dir, family, "*.go"))
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, name := range append(files, filepath.Join(dir, "drive_"+family+".py")) {
		text, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil)[:4]), nil
}

// peersFolder finds bench/peers in the module at hand.
func peersFolder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		peers := filepath.Join(dir, "bench", "peers")
		if _, err := os.Stat(filepath.Join(peers, "run")); err == nil {
			return peers, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("bench/peers is not found: run the bench inside of the repository")
		}
		dir = parent
	}
}
