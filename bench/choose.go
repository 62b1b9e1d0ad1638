package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tuned-hpo/tuned/bench/problem"
	"github.com/tuned-hpo/tuned/bench/report"
	"github.com/tuned-hpo/tuned/bench/run"
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
	return nil, fmt.Errorf("no suite or set %q; there are quick, full, slow, claim and of these %s", name, strings.Join(known, ", "))
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
func chooseEntries(ctx context.Context, ours, peers []string) ([]run.Entry, error) {
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
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	entries, err := choosePeers(ctx, peers)
	return append(out, entries...), err
}

// choosePeers returns the peers. One that cannot be started is an entry with a fault.
func choosePeers(ctx context.Context, peers []string) ([]run.Entry, error) {
	if len(peers) == 0 {
		return nil, nil
	}
	dir, err := peersFolder()
	if err != nil {
		return nil, err
	}
	if peers, err = expandPeers(ctx, dir, peers); err != nil {
		return nil, err
	}
	var out []run.Entry
	for _, name := range peers {
		e := run.Peer(ctx, name, filepath.Join(dir, "run"), name)
		driver, err := driverHash(dir, name)
		if err != nil {
			return nil, err
		}
		if e.Version != "" {
			e.Version += ", driver " + driver
		}
		out = append(out, e)
	}
	return out, nil
}

// expandPeers replaces "installed" by the peers that are.
func expandPeers(ctx context.Context, dir string, peers []string) ([]string, error) {
	var out []string
	for _, name := range peers {
		if name != "installed" {
			out = append(out, name)
			continue
		}
		installed, err := installedPeers(ctx, dir)
		if err != nil {
			return nil, err
		}
		out = append(out, installed...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// installedPeers asks the script that knows.
func installedPeers(ctx context.Context, dir string) ([]string, error) {
	text, err := exec.CommandContext(ctx, filepath.Join(dir, "run"), "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("list the installed peers: %w", err)
	}
	return strings.Fields(string(text)), nil
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
