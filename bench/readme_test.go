package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/bench/goals"
	"github.com/tuned-hpo/tuned/bench/latency"
	"github.com/tuned-hpo/tuned/bench/report"
)

// TestFiguresAreFresh wants the pages that `go run ./bench readme` writes.
func TestFiguresAreFresh(t *testing.T) {
	pages, err := pagesWithFigures("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range pages {
		if got, err := os.ReadFile(filepath.Join("..", name)); err != nil || string(got) != want {
			t.Errorf("%s does not quote bench/results: run go run ./bench readme (%v)", name, err)
		}
	}
}

func TestReadmeWithoutFigures(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	before := "# A project\n" + figuresBegin + "old\n" + figuresEnd
	if err := os.MkdirAll(filepath.Join("bench", "peers", "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("README.md", []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	if err := dispatch(t.Context(), []string{"readme"}, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	if got := stdout.String(); !strings.HasPrefix(got, "bench/results has no figures, so README.md quotes none") || strings.Contains(got, "wrote") {
		t.Errorf("got %q", got)
	}
	if got, err := os.ReadFile("README.md"); err != nil || string(got) != strings.Replace(before, "old\n", "", 1) {
		t.Errorf("got %q, %v", got, err)
	}
}

// figuresOf are made up: one suite where a peer is better and one where it is worse.
func figuresOf(suites ...string) goals.Figures {
	r := &report.Report{Made: "2026-01-02", Machine: "a machine"}
	for i, name := range suites {
		mean := float64(i) - 0.5
		interval := report.Interval{Mean: mean, Low: mean - 0.25, High: mean + 0.25}
		r.Sections = append(r.Sections, report.Section{
			Suite: name, Workers: 1 + 7*i, Budget: 100, Runs: 24,
			Scores: []report.Score{{Optimizer: quoted, Ours: true}, {Optimizer: "tpe", Ours: true}, {Optimizer: "optuna-gp"}},
			Pairs: []report.Pair{
				{Ours: quoted, Peer: "tpe", Runs: 24},
				{Ours: "tpe", Peer: "optuna-gp", Runs: 24},
				{Ours: quoted, Peer: "optuna-gp", Runs: 24, Difference: [3]report.Interval{2: interval}},
			},
		})
	}
	return goals.Figures{Ours: quoted, Reports: []*report.Report{r}, Ladders: []latency.Ladder{{
		Climb:   latency.Climb{Optimizer: quoted, Dimension: 10},
		Reached: []latency.Rung{{N: 100, CPU50: 0.0025}},
	}}}
}

func TestQuote(t *testing.T) {
	got := quote(figuresOf("claim/a", "claim/b", "full/c"))
	for _, want := range []string{
		"2026-01-02, a machine. ",
		"| suite | trials | runs | optuna-gp |\n|---|--:|--:|--:|\n",
		"| claim/a | 100 | 24 | -0.50 [-0.75, -0.25] |\n| claim/b, 8 at a time | 100 | 24 | +0.50 [+0.25, +0.75] |\n\n",
		"| optuna-gp | 2 | 1 | 0 | 1 | -0.50 to +0.50 |\n\n",
		"| bayesianoptimization | - | 2.50 | - | - | - |\n",
		"1 reached, 0 missed, ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "full/c") {
		t.Errorf("a suite that was tuned on is quoted beside the claim:\n%s", got)
	}
	if got := quote(goals.Figures{Ours: quoted}); got != "" {
		t.Errorf("without figures: got %q", got)
	}
}
