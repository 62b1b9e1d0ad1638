package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/bench/problem"
)

// listCommand lists what can be chosen.
func listCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := newFlags("list", "", stderr)
	if err := flags.Parse(args); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "suites, by set:")
	for _, s := range problem.Suites() {
		problems, err := s.Problems()
		size := fmt.Sprintf("%d problems x %d seeds, N = %d", len(problems), len(s.SeedList()), s.Budget)
		if err != nil {
			size = "cannot be had: " + err.Error()
		}
		fmt.Fprintf(stdout, "  %-28s %s\n", fullName(s), size)
	}
	var names []string
	for _, d := range builtin.Registry().Definitions() {
		if d.New != nil {
			names = append(names, d.Name)
		}
	}
	fmt.Fprintf(stdout, "ours: %s\n", strings.Join(names, ", "))
	return describePeers(ctx, stdout)
}

// describePeers lists the peers that are installed, and why others are not.
func describePeers(ctx context.Context, stdout io.Writer) error {
	peers, known, err := listPeers(ctx)
	if err != nil {
		return err
	}
	if len(peers) == 0 {
		peers = []string{"none; bench/peers/install installs them"}
	}
	fmt.Fprintf(stdout, "peers: %s\n", strings.Join(peers, ", "))
	for _, name := range known {
		if slices.Contains(peers, name) {
			continue
		}
		why := "is not installed: bench/peers/install tries, and says why where it fails"
		if name == "optuna-auto" {
			why = "cannot be installed: AutoSampler is loaded from OptunaHub when it is asked for, which is no package"
		}
		fmt.Fprintf(stdout, "  %-18s %s\n", name, why)
	}
	return nil
}
