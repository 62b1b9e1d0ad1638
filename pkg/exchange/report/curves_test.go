package report

import (
	"math"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// curved adds to a study the curves that its report shows, each of so many points.
func curved(in Input, points int) Input {
	for _, t := range Curved(&in.Experiment.Spec, in.Trials) {
		c := Curve{Number: t.Number}
		for step := range points {
			c.Points = append(c.Points, Point{int64(step), 1/float64(step+1) + float64(t.Number%7)})
		}
		in.Curves = append(in.Curves, c)
	}
	return in
}

func TestCurves(t *testing.T) {
	odd := study(t, 3, 2, "")
	odd.Curves = []Curve{
		{1, []Point{{0, math.NaN()}, {1, 1}, {2, math.Inf(1)}, {3, 2}, {4, 3}, {math.MaxInt64, math.Inf(-1)}}},
		{2, []Point{{0, 1e308}, {1, -1e308}}},
		{3, nil},
		{9, []Point{{1, 1}, {2, 2}}},
	}
	hostileNames := curved(study(t, 4, 2, ""), 3)
	for i := range hostileNames.Trials {
		hostileNames.Trials[i].Name = hostile
	}
	for name, tt := range map[string]struct {
		in    Input
		lines int // but for the best
		best  int
		want  string
	}{
		"none":             {study(t, 5, 2, ""), 0, 0, ""},
		"results alone":    {curved(study(t, 5, 2, ""), 1), 0, 0, ""},
		"some":             {curved(study(t, 5, 2, ""), 4), 4, 1, "as far as it came"},
		"many":             {curved(study(t, 5000, 2, ""), CurvePoints), maxCurves - 1, 1, "200 of 5000 trials are shown, evenly spaced."},
		"not finite":       {odd, 1, 1, "A line per trial"},
		"none is feasible": {curved(study(t, 5, 2, "  tuned: {constraints: [{metricName: size, max: -1}]}\n"), 4), 5, 0, "A line per trial"},
		"hostile":          {hostileNames, 3, 1, "&lt;script&gt;"},
	} {
		t.Run(name, func(t *testing.T) {
			text := written(t, tt.in)
			lines, best := strings.Count(text, `<path class="curve" `), strings.Count(text, `<path class="curve best" `)
			if lines != tt.lines || best != tt.best || !strings.Contains(text, tt.want) {
				t.Errorf("%d lines and %d of the best, want %d and %d, and %q", lines, best, tt.lines, tt.best, tt.want)
			}
			if strings.Contains(text, "Learning curves") != (tt.lines+tt.best > 0) {
				t.Error("the section is there without lines, or not there with them")
			}
			if len(text) >= 1<<20 {
				t.Errorf("%d bytes, want less than %d", len(text), 1<<20)
			}
		})
	}
}

// TestCurved: of many trials the best is always among those that are shown, each once and by number.
func TestCurved(t *testing.T) {
	for _, n := range []int{0, 1, maxCurves, maxCurves + 1, 3*maxCurves + 7} {
		for best := range n {
			if best%37 != 0 && best != n-1 {
				continue
			}
			in := study(t, n, 1, "")
			in.Trials[best].State = experiment.TrialSucceeded
			in.Trials[best].Observation.Metrics = []experiment.Metric{{Name: "loss", Min: "-1", Max: "-1", Latest: "-1"}}
			shown := Curved(&in.Experiment.Spec, in.Trials)
			last, found := uint64(0), false
			for _, trial := range shown {
				if trial.Number <= last {
					t.Fatalf("trial %d after %d", trial.Number, last)
				}
				last, found = trial.Number, found || trial.Number == uint64(best+1)
			}
			if len(shown) != min(n, maxCurves) || !found {
				t.Errorf("of %d trials %d are shown, and the best, %d: %t", n, len(shown), best+1, found)
			}
		}
	}
	waiting := study(t, 2, 1, "")
	waiting.Trials[1] = experiment.Trial{Number: 2, State: experiment.TrialPending}
	if shown := Curved(&waiting.Experiment.Spec, waiting.Trials); len(shown) != 1 {
		t.Errorf("%d trials are shown, want the one that has begun", len(shown))
	}
}
