package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/bench/goals"
	"github.com/tuned-hpo/tuned/bench/latency"
	"github.com/tuned-hpo/tuned/bench/report"
)

// quoted is the optimizer whose figures README.md quotes.
const quoted = "bayesianoptimization"

// The figures in README.md stand between these lines.
const (
	figuresBegin = "<!-- figures: written by go run ./bench readme -->\n"
	figuresEnd   = "<!-- end of figures -->\n"
)

// readmeCommand writes the figures that are kept with the repository where people read them.
func readmeCommand(_ context.Context, args []string, stdout, stderr io.Writer) error {
	flags := newFlags("readme", "", stderr)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("readme takes no arguments, got %q", flags.Args())
	}
	peers, err := peersFolder()
	if err != nil {
		return err
	}
	root := filepath.Dir(filepath.Dir(peers))
	pages, err := pagesWithFigures(root)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		if err := os.WriteFile(filepath.Join(root, name), []byte(pages[name]), 0o644); err != nil {
			return err
		}
	}
	if len(pages) == 1 { // README.md alone, without figures
		fmt.Fprintln(stdout, "bench/results has no figures, so README.md quotes none; bench/README.md says how they are made")
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		fmt.Fprintln(stdout, "wrote", name)
	}
	return nil
}

// pagesWithFigures returns what the files that quote bench/results should hold, by their names below
// root.
func pagesWithFigures(root string) (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return nil, err
	}
	before, rest, ok := strings.Cut(string(text), figuresBegin)
	_, after, closed := strings.Cut(rest, figuresEnd)
	if !ok || !closed {
		return nil, errors.New("README.md lacks the lines between which the figures stand")
	}
	folders, err := filepath.Glob(filepath.Join(root, "bench", "results", "*", "*.json"))
	if err != nil {
		return nil, err
	}
	for i, name := range folders {
		folders[i] = filepath.Dir(name)
	}
	folders = slices.Compact(folders) // Glob sorts
	f := goals.Figures{Ours: quoted}
	for _, dir := range folders {
		if err := readFigures(dir, &f); err != nil {
			return nil, err
		}
	}
	pages := map[string]string{"README.md": before + figuresBegin + quote(f) + figuresEnd + after}
	if len(folders) > 0 {
		pages["bench/results/README.md"] = goalsPage(f, folders)
	}
	return pages, nil
}

// goalsPage is all goals beside their figures.
func goalsPage(f goals.Figures, folders []string) string {
	var b strings.Builder
	b.WriteString("# Measured\n\nWritten by `go run ./bench readme`. The folders hold what `run` and `latency` left:\n\n")
	for _, dir := range folders {
		name := filepath.Base(dir)
		if _, err := os.Stat(filepath.Join(dir, "report.md")); err == nil {
			name = fmt.Sprintf("[%s](%s/report.md)", name, name)
		}
		fmt.Fprintf(&b, "- %s\n", name)
	}
	b.WriteString("\n")
	goals.Table(goals.Rows(f)).Markdown(&b)
	return strings.TrimSuffix(b.String(), "\n")
}

// quote is what README.md says of the figures; nothing when there are none.
func quote(f goals.Figures) string {
	var b strings.Builder
	sections := claimed(f.Reports)
	peers := peersOf(sections)
	if len(peers) > 0 {
		r := f.Reports[0]
		fmt.Fprintf(&b, "%s, %s. Mean difference of log10 regret after all trials, ours less the peer's, with the 95 %% interval: "+
			"-0.30 is half the regret, and below 0 ours is better; `-` is where a peer was not run.\n\n", r.Made, r.Machine)
		differences(sections, peers).Markdown(&b)
		b.WriteString("Against each peer, on the suites that it was run on; better or worse is where the interval leaves out 0:\n\n")
		standings(sections, peers).Markdown(&b)
	}
	if t := costs(f.Ladders); len(t.Rows) > 0 {
		b.WriteString("CPU time of one suggestion with 10 parameters, in milliseconds, median:\n\n")
		t.Markdown(&b)
	}
	if b.Len() > 0 {
		count := map[goals.Verdict]int{}
		for _, r := range goals.Rows(f) {
			count[r.One]++
		}
		fmt.Fprintf(&b, "Goals that must hold: %d reached, %d missed, %d not measured; [all of them](bench/results/README.md).\n",
			count[goals.Holds], count[goals.Fails], count[goals.Unknown])
	}
	return b.String()
}

// claimed returns the sections of the claim, for a claim is made on problems that nobody tuned on; all
// sections when there is no claim. Sections without the optimizer that is quoted, or without a peer, are
// left out.
func claimed(reports []*report.Report) []report.Section {
	var all, claim []report.Section
	for _, r := range reports {
		for _, s := range r.Sections {
			if !isOurs(s, quoted) || len(peersOf([]report.Section{s})) == 0 {
				continue
			}
			all = append(all, s)
			if strings.HasPrefix(s.Suite, "claim/") {
				claim = append(claim, s)
			}
		}
	}
	if len(claim) > 0 {
		return claim
	}
	return all
}

// peersOf returns the optimizers that are not ours, those with the most runs first.
func peersOf(sections []report.Section) []string {
	runs := make(map[string]int)
	for _, s := range sections {
		for _, p := range s.Pairs {
			if p.Ours == quoted && !isOurs(s, p.Peer) {
				runs[p.Peer] += p.Runs
			}
		}
	}
	return slices.SortedFunc(maps.Keys(runs), func(a, b string) int {
		return cmp.Or(cmp.Compare(runs[b], runs[a]), cmp.Compare(a, b))
	})
}

func isOurs(s report.Section, name string) bool {
	return slices.ContainsFunc(s.Scores, func(c report.Score) bool { return c.Optimizer == name && c.Ours })
}

// pairWith returns our comparison with a peer.
func pairWith(s report.Section, peer string) (report.Pair, bool) {
	i := slices.IndexFunc(s.Pairs, func(p report.Pair) bool { return p.Ours == quoted && p.Peer == peer })
	if i < 0 {
		return report.Pair{}, false
	}
	return s.Pairs[i], true
}

// differences has a row per suite and a column for each of the peers that the goals name.
func differences(sections []report.Section, all []string) *report.Table {
	var peers []string
	for _, name := range []string{"optuna-gp", "optuna-tpe", "optuna-tpe-group"} {
		if slices.Contains(all, name) {
			peers = append(peers, name)
		}
	}
	t := &report.Table{Header: append([]string{"suite", "trials", "runs"}, peers...)}
	for _, s := range sections {
		suite := s.Suite
		if s.Workers > 1 {
			suite += fmt.Sprintf(", %d at a time", s.Workers)
		}
		row := []string{suite, fmt.Sprint(s.Budget), fmt.Sprint(s.Runs)}
		for _, peer := range peers {
			cell := "-"
			if p, ok := pairWith(s, peer); ok {
				cell = p.Difference[2].String()
			}
			row = append(row, cell)
		}
		t.Add(row...)
	}
	return t
}

// standings has a row per peer.
func standings(sections []report.Section, peers []string) *report.Table {
	t := &report.Table{Header: []string{"peer", "suites", "better", "undecided", "worse", "difference, least to greatest"}}
	for _, peer := range peers {
		var all []report.Interval
		for _, s := range sections {
			if p, ok := pairWith(s, peer); ok {
				all = append(all, p.Difference[2])
			}
		}
		better, worse := 0, 0
		for _, d := range all {
			if d.High < 0 {
				better++
			}
			if d.Low > 0 {
				worse++
			}
		}
		byMean := func(a, b report.Interval) int { return cmp.Compare(a.Mean, b.Mean) }
		t.Add(peer, fmt.Sprint(len(all)), fmt.Sprint(better), fmt.Sprint(len(all)-better-worse), fmt.Sprint(worse),
			fmt.Sprintf("%+.2f to %+.2f", slices.MinFunc(all, byMean).Mean, slices.MaxFunc(all, byMean).Mean))
	}
	return t
}

// costs has a row per optimizer.
func costs(ladders []latency.Ladder) *report.Table {
	t := &report.Table{Header: []string{"after trials"}}
	sizes := []int{10, 100, 500, 1000, 10_000}
	for _, n := range sizes {
		t.Header = append(t.Header, fmt.Sprint(n))
	}
	for _, l := range ladders {
		if l.Dimension != 10 || l.Pending != 0 || len(l.Reached) == 0 {
			continue
		}
		row := []string{l.Optimizer}
		for _, n := range sizes {
			cell := "-"
			if i := slices.IndexFunc(l.Reached, func(r latency.Rung) bool { return r.N == n }); i >= 0 {
				cell = short(l.Reached[i].CPU50 * 1e3)
			}
			row = append(row, cell)
		}
		t.Add(row...)
	}
	return t
}
