package main

import (
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/bench/run"
)

// TestEndings ends runs of four trials, of which the first has nothing left to improve after the second.
func TestEndings(t *testing.T) {
	trajectory := func(losses ...float64) *run.Trajectory {
		tr := &run.Trajectory{}
		for _, l := range losses {
			tr.Losses, tr.LogRegret = append(tr.Losses, run.Numbers{l}), append(tr.LogRegret, l)
		}
		return tr
	}
	at := func(trials int, improvement float64) look {
		return look{trials, algorithms.Remaining{Trials: 1, Improvement: improvement, Spread: 2}}
	}
	runs := []replayed{
		{trajectory(3, 1, 1, 1), 1, []look{at(1, 1), at(2, 0.1), at(3, 0.1)}},
		{trajectory(3, 2, 1, 0), 1, []look{at(1, 1), at(2, 0.1), at(3, 1)}},
		{trajectory(3, 2, 1, 0), 1, []look{at(1, 1), at(2, 1), at(3, 1)}},
	}
	for _, tt := range []struct {
		share float64
		want  ending
	}{
		{0.01, ending{runs: 3}},
		{0.1, ending{runs: 3, ended: 2, saved: 1, dex: 2, missed: 1, wrong: 1}},
		{0.9, ending{runs: 3, ended: 3, saved: 0.75 * 3, dex: 2 + 3 + 3, missed: (2. + 3 + 3) / 2, wrong: 1}},
	} {
		got := verdictOf(runs, tt.share)
		if got != tt.want {
			t.Errorf("share %g: got %+v, want %+v", tt.share, got, tt.want)
		}
	}
}

func TestTerminationCommand(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-ours", "random"}, "cannot tell what remains"},
		{[]string{"-shares", "0"}, "want numbers above 0"},
		{[]string{"-every", "0"}, "must be at least 1"},
	} {
		var out strings.Builder
		err := terminationCommand(t.Context(), tt.args, &out, &out)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: got %v, want %q", tt.args, err, tt.want)
		}
	}
}
