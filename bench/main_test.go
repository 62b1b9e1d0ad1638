package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/bench/report"
	"github.com/tuned-hpo/tuned/bench/run"
)

func TestWrongInput(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	tests := []struct{ args, want string }{
		{"walk", `no command "walk"; want one of run, report, goals, readme, termination, latency, fidelity, list`},
		{"run -suite nowhere -peers none", `no suite or set "nowhere"; there are quick, full, slow, long, claim and of these quick/bbob24-d5`},
		{"run -suite bbob24-d5 -peers none", "suite bbob24-d5 is in several sets; write quick/bbob24-d5 or full/bbob24-d5"},
		{"run -suite quick/bbob24-d5@0 -peers none", `the number of workers after @ must be at least 1, got "0"`},
		{"run -suite none -peers none", "no suite is chosen"},
		{"run -ours tpf -peers none -baseline random", `unknown algorithm "tpf", did you mean "tpe"?`},
		{"run -peers optuna-gpp", `unknown peer "optuna-gpp", did you mean "optuna-gp"?`},
		{"run -peers none,something", `unknown peer "none", known are optuna-gp, `},
		{"run -peers none -baseline optuna-gp", `the baseline "optuna-gp" takes no part: name it in -ours or -peers`},
		{"run -peers none -ours gp:", `algorithm gp: "gp:" has an empty setting`},
		{"run -workers 0", "-workers must be at least 1, got 0"},
		{"run quick", `run takes no arguments, got ["quick"]`},
		{"report", "report wants one folder"},
		{"report nowhere", "nowhere holds no report: make one with go run ./bench run -out nowhere"},
		{"goals nowhere", "nowhere holds no report"},
		{"fidelity -workers 0", "-workers must be at least 1, got 0"},
		{"fidelity -suite quick/bbob24-d5 -peers none", "suite quick/bbob24-d5 has no learning curves"},
		{"fidelity -ours ashb -peers none", `unknown algorithm "ashb"`},
		{"fidelity -ours tpe+medianstopp -peers none", `unknown early stopping rule "medianstopp"`},
		{"latency -n 10,5", "-n must ascend, got 5 after 10"},
		{"latency -d 0", `-d: "0" is no whole number of at least 1`},
		{"latency -peers hebbo", `unknown peer "hebbo", did you mean "hebo"?`},
		{"latency -peers none -study tpf", `unknown algorithm "tpf"`},
		{"latency -pending none", "-pending is empty"},
	}
	for _, tt := range tests {
		var stdout, stderr bytes.Buffer
		err := dispatch(t.Context(), strings.Fields(tt.args), &stdout, &stderr)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.args, err, tt.want)
		}
	}
}

// TestRunReportGoals runs a small suite, twice: the second time all is kept. Then it reports again.
func TestRunReportGoals(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	out := filepath.Join(t.TempDir(), "out")
	command := func(args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if err := dispatch(t.Context(), args, &stdout, &stderr); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, stderr.String())
		}
		return stdout.String()
	}
	args := []string{"run", "-suite", "quick/outlier24-d5,quick/outlier24-d5@8", "-ours", "sobol", "-peers", "none", "-baseline", "random", "-out", out}
	first := command(args...)
	for _, want := range []string{
		"quick/outlier24-d5: 8 runs of N = 60 trials", "quick/outlier24-d5, 8 workers: 8 runs", "sobol - random", "8+0", "Several workers against one",
	} {
		if !strings.Contains(first, want) {
			t.Errorf("no %q in\n%s", want, first)
		}
	}
	if second := command(args...); !strings.Contains(second, "0+8") || strings.Contains(second, "8+0") {
		t.Errorf("runs were made again:\n%s", second)
	}
	if again := command("report", out); !strings.Contains(again, "sobol - random") {
		t.Errorf("got\n%s", again)
	}
	if rows := command("goals", "-ours", "sobol", out); !strings.Contains(rows, "quick/outlier24-d5") || !strings.Contains(rows, "0 duplicates") {
		t.Errorf("got\n%s", rows)
	}
	for _, name := range []string{"report.md", "report.json", "runs.jsonl.gz", "quick-outlier24-d5-w8-regret.png"} {
		if info, err := os.Stat(filepath.Join(out, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestListNamesThePeers(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if err := dispatch(t.Context(), []string{"list"}, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	_, peers, _ := strings.Cut(stdout.String(), "\npeers: ")
	for _, want := range []string{"optuna-gp", "hebo", "optuna-auto        cannot be installed: AutoSampler is loaded from OptunaHub"} {
		if !strings.Contains(peers, want) {
			t.Errorf("no %q in %q", want, peers)
		}
	}
}

func TestBaseline(t *testing.T) {
	for _, tt := range []struct{ given, peers, want string }{
		{"", "none", "random"},
		{"", "optuna-tpe,optuna-gp", "optuna-gp"},
		{"", "optuna-tpe", "random"},
		{"none", "optuna-gp", ""},
		{"tpe", "none", "tpe"},
		{"optuna-tpe", "optuna-tpe", "optuna-tpe"},
	} {
		if got, err := chooseBaseline(tt.given, []string{"gp", "tpe"}, list(tt.peers)); got != tt.want || err != nil {
			t.Errorf("%+v: got %q, %v", tt, got, err)
		}
	}
}

func TestGroupsMatter(t *testing.T) {
	suites, err := chooseSuites([]string{"quick/bbob24-d5", "quick/cat24-d5", "full/constrained", "quick/cond8", "full/multi-d6"})
	if err != nil {
		t.Fatal(err)
	}
	all, failures := tasks(suites)
	if len(failures) > 0 {
		t.Fatal(failures)
	}
	for _, task := range all {
		want := task.Suite == "quick/cond8" || task.Suite == "full/multi-d6"
		if got := groupsMatter(task); got != want {
			t.Errorf("%s, %s: got %t, want %t", task.Suite, task.Problem.Name, got, want)
		}
	}
}

func TestStudyPeersAreAmongThePeers(t *testing.T) {
	for _, tt := range []struct{ peers, studies, want string }{
		{"none", "", ""}, {"optuna-gp,hebo", "", "optuna-gp"}, {"none", "optuna-tpe", "optuna-tpe"}, {"optuna-gp", "none", ""},
	} {
		f := latencyFlags{peers: tt.peers, studyPeers: tt.studies}
		if err := f.names(t.Context()); err != nil || f.studyPeers != tt.want {
			t.Errorf("%+v: got %q, %v", tt, f.studyPeers, err)
		}
	}
}

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, "ours", "peer")
	step := func(done int, optimizer string, regret float64) {
		p.last = time.Time{}
		p.take(run.Progress{Done: done, Total: 3, Left: time.Minute, Last: &run.Trajectory{
			Optimizer: optimizer, Problem: "a", LogRegret: run.Numbers{9, regret}, Cached: optimizer == "peer",
		}})
	}
	step(1, "peer", 1)
	step(2, "random", 2)
	step(3, "ours", 0.5)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		"1 of 3 runs (1 kept from earlier), 0s, about 1m0s left", "2 of 3 runs (1 kept from earlier), 0s, about 1m0s left",
		"3 of 3 runs (1 kept from earlier), 0s; ours less peer so far -0.50 (1 pairs)",
	}
	for i, w := range want {
		if i >= len(lines) || lines[i] != w {
			t.Errorf("line %d: got %q, want %q", i, lines, w)
		}
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[report.Figure]string{0.0042: "0.004", 0.5: "0.50", 12.34: "12.3", 1234: "1234"} {
		if got := short(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}
