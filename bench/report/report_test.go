package report

import (
	"bytes"
	"encoding/json"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tuned-hpo/tuned/bench/run"
)

// curveOf is a run on one problem with the given regrets.
func curveOf(optimizer, problem string, seed uint64, regrets ...float64) *run.Trajectory {
	tr := &run.Trajectory{
		Suite: "quick/test", Problem: problem, Cluster: problem[:1], Budget: len(regrets), Seed: seed, Workers: 1,
		Optimizer: optimizer, Version: "1", Ours: optimizer == "ours" || optimizer == Random, Simulated: 10,
	}
	for i, r := range regrets {
		tr.LogRegret = append(tr.LogRegret, math.Log10(r))
		tr.AskCPU = append(tr.AskCPU, float64(i+1))
		tr.TellCPU = append(tr.TellCPU, 0)
	}
	return tr
}

// twoProblems are runs of 4 trials whose figures are known.
func twoProblems() []*run.Trajectory {
	unsupported := curveOf("narrow", "b1", 1, 1, 1, 1, 1)
	unsupported.LogRegret, unsupported.Unsupported = nil, "unsupported: it is narrow"
	kept := curveOf("peer", "b1", 1, 100, 10, 1, 1)
	kept.Cached, kept.Duplicates, kept.Version = true, 2, "2"
	return []*run.Trajectory{
		curveOf(Random, "a1", 1, 100, 100, 100, 10), curveOf("ours", "a1", 1, 100, 10, 1, 0.1), curveOf("peer", "a1", 1, 1000, 100, 10, 1),
		curveOf(Random, "b1", 1, 10, 10, 10, 10), curveOf("ours", "b1", 1, 100, 10, 10, 10), kept,
		curveOf("narrow", "a1", 1, 1, 1, 1, 1), unsupported,
	}
}

func TestScores(t *testing.T) {
	r := New(twoProblems(), nil)
	if len(r.Sections) != 1 || len(r.Async) != 0 {
		t.Fatalf("got %d sections", len(r.Sections))
	}
	s := r.Sections[0]
	scores := make(map[string]Score)
	var order []string
	for _, c := range s.Scores {
		scores[c.Optimizer] = c
		order = append(order, c.Optimizer)
	}
	if order[3] != Random { // the others end at the same mean
		t.Errorf("order is %v", order)
	}
	ours, peer, narrow := scores["ours"], scores["peer"], scores["narrow"]
	checks := []struct {
		name      string
		got, want Figure
	}{
		{"log regret at N/4", ours.LogRegret[0], 2},
		{"log regret at N", ours.LogRegret[2], 0}, // -1 and 1
		{"rank at N/4", ours.Rank[0], (1.5 + 2.5) / 2},
		{"rank at N", ours.Rank[2], (1 + 2.5) / 2},
		{"rank of random at N", scores[Random].Rank[2], (3 + 2.5) / 2},
		{"of random at N/4", ours.Normalized[0], (1 + 2) / 2.},            // 100/100, 100/10 cut at 2
		{"of random at N", ours.Normalized[2], (0.01 + 1) / 2},            // 0.1/10, 10/10
		{"area", ours.Area, (1 + 0.1 + 0.01 + 0.01 + 2 + 1 + 1 + 1) / 8.}, // at most 2
		{"targets at N", ours.Reached[2], (4./4 + 2./4) / 2},              // 100, 10, 1, 0.1 on both
		{"targets at N/4", ours.Reached[0], (1./4 + 1./4) / 2},
		{"duplicates", peer.Duplicates, 1},
		{"median CPU", ours.CPU50, 2.5},
	}
	for _, c := range checks {
		if math.Abs(float64(c.got-c.want)) > 1e-12 {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
	if !math.IsNaN(float64(narrow.Rank[2])) || narrow.Unsupported != 1 || narrow.Reason != "unsupported: it is narrow" {
		t.Errorf("narrow: %+v", narrow)
	}
	if peer.Now != 1 || peer.Kept != 1 || !cmp.Equal(peer.Versions, []string{"1", "2"}) {
		t.Errorf("peer: %+v", peer)
	}
}

func TestPairs(t *testing.T) {
	s := New(twoProblems(), nil).Sections[0]
	byPeer := make(map[string]Pair)
	for _, p := range s.Pairs {
		if p.Ours != "ours" {
			t.Errorf("a pair of %s and %s", p.Ours, p.Peer)
		}
		byPeer[p.Peer] = p
	}
	p := byPeer["peer"]
	// Differences at N/4: -1 and 0; at N/2: -1 and 0; at N: -1 and 1.
	want := [3]float64{-0.5, -0.5, 0}
	for c := range want {
		if math.Abs(p.Difference[c].Mean-want[c]) > 1e-12 {
			t.Errorf("checkpoint %d: got %v, want %v", c, p.Difference[c], want[c])
		}
	}
	// Two clusters: a quarter of the draws takes one of them twice, more than 2.5 %.
	if d := p.Difference[2]; math.Abs(d.Low+1) > 1e-12 || math.Abs(d.High-1) > 1e-12 || p.Runs != 2 || p.Clusters != 2 {
		t.Errorf("got %+v", p)
	}
	if got := p.WinMinusLoss; got != (Checkpoints{0.5, 0.5, 0}) {
		t.Errorf("win minus loss is %v", got)
	}
	if n := byPeer["narrow"]; n.Runs != 1 || n.Clusters != 1 || !math.IsInf(n.Difference[2].High, 1) {
		t.Errorf("one run in common, got %+v", n)
	}
}

func TestShortRunKeepsItsLastRegret(t *testing.T) {
	short := curveOf("peer", "a1", 1, 100, 10)
	short.Budget = 4
	s := New([]*run.Trajectory{curveOf("ours", "a1", 1, 100, 10, 10, 1), short}, nil).Sections[0]
	if got := s.Pairs[0].Difference[2].Mean; math.Abs(got+1) > 1e-12 {
		t.Errorf("got %v, want -1", got)
	}
}

func TestAsync(t *testing.T) {
	several := curveOf("ours", "a1", 1, 100, 10)
	several.Workers, several.Simulated, several.PendingDuplicates = 8, 2, 3
	r := New([]*run.Trajectory{several, curveOf("ours", "a1", 1, 100, 1)}, nil)
	if len(r.Async) != 1 {
		t.Fatalf("got %+v", r.Async)
	}
	if a := r.Async[0]; math.Abs(a.Difference.Mean-1) > 1e-12 || a.Pending != 3 || a.Faster != 5 || a.Workers != 8 {
		t.Errorf("got %+v", a)
	}
}

var same = cmp.Comparer(func(a, b Figure) bool { return a == b || math.IsNaN(float64(a)) && math.IsNaN(float64(b)) })

func TestReportReadsBack(t *testing.T) {
	want := New(twoProblems(), []run.Failure{{Optimizer: "x", Error: "y"}})
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got := new(Report)
	if err := json.Unmarshal(text, got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, same, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestText(t *testing.T) {
	r := New(twoProblems(), []run.Failure{{Optimizer: "hebo", Error: "cannot be started: no such file"}})
	var plain, markdown bytes.Buffer
	r.Plain(&plain)
	r.Markdown(&markdown)
	for _, want := range []string{
		"quick/test: 2 runs of N = 4 trials", "ours - peer", "-0.50 [-1.00, +0.00]", "2.00 / 1.00 / 0.00",
		"narrow on quick/test, 1 runs: unsupported: it is narrow", "hebo: cannot be started: no such file",
		"peer: 1; 2", "narrow: 1",
	} {
		if !strings.Contains(plain.String(), want) {
			t.Errorf("no %q in\n%s", want, plain.String())
		}
		if !strings.Contains(markdown.String(), want) {
			t.Errorf("no %q in\n%s", want, markdown.String())
		}
	}
}

// TestTargetCurves counts the targets 10^2, 10^1.9, ... 10^-2 that two runs reach: 2 - log10 regret,
// ten for each power of ten, and one more.
func TestTargetCurves(t *testing.T) {
	for _, c := range group(twoProblems())[0].targetCurves() {
		if c.name != "ours" {
			continue
		}
		for i, want := range []float64{1 + 1, 11 + 11, 21 + 11, 31 + 11} {
			if got := c.mid[i] * 2 * 41; math.Abs(got-want) > 1e-9 {
				t.Errorf("after %d trials: got %v pairs, want %v", i+1, got, want)
			}
		}
		return
	}
	t.Error("ours has no curve")
}

func TestPlots(t *testing.T) {
	dir := t.TempDir()
	if err := Plots(twoProblems(), dir); err != nil {
		t.Fatal(err)
	}
	for _, kind := range plotKinds {
		f, err := os.Open(filepath.Join(dir, plotName("quick/test", 1, kind)))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(f)
		if err != nil {
			t.Fatal(err)
		}
		colours := make(map[any]bool)
		for x := range img.Bounds().Dx() {
			for y := range img.Bounds().Dy() {
				colours[img.At(x, y)] = true
			}
		}
		if len(colours) < 10 {
			t.Errorf("%s: only %d colours", kind, len(colours))
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
