package main

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

func TestPrintModel(t *testing.T) {
	band := func(mean, low, high float64) tuner.Band {
		return tuner.Band{Mean: tuner.Value(mean), Low: tuner.Value(low), High: tuner.Value(high)}
	}
	nan := tuner.Value(math.NaN())
	m := tuner.Model{
		Experiment: "default/x", Algorithm: "gp", Trials: 9, At: []experiment.Pair{{Name: "lr", Value: "0.1"}},
		Outputs: []tuner.ModelOutput{
			{
				Metric: "loss", Type: "minimize",
				Parameters: []tuner.ModelParameter{
					{Name: "lr", Alone: 0.7, Total: 0.9, Slice: []tuner.ModelPoint{
						{Value: "0.1", Band: band(1, 0, 2)}, {Value: "0.20000000000000001", Band: band(5, 4, 10)}, {Value: "0.3", Band: band(5, math.NaN(), math.NaN())},
					}},
					{Name: "momentum", Alone: nan, Total: nan},
				},
				LeftOut: tuner.LeftOut{Within: 0.875, Correlation: 0.75, Chance: 0.62, Predicts: true, Trials: make([]tuner.LeftOutCase, 8)},
			},
			{
				Metric: "speed", Type: "maximize",
				Parameters: []tuner.ModelParameter{
					{Name: "lr", Alone: 0.9, Total: 0.9, Slice: []tuner.ModelPoint{{Value: "0.1", Band: band(0, 0, 1000)}}},
					{Name: "momentum", Alone: 0.1, Total: 0.1, Slice: []tuner.ModelPoint{{Value: "0.25", Band: band(-1000, -1000, 0)}}},
				},
				LeftOut: tuner.LeftOut{Within: 1, Correlation: 0.5, Chance: 0.62, Trials: make([]tuner.LeftOutCase, 8)},
			},
			{
				Metric: "size", Max: new(100.0), LeftOut: tuner.LeftOut{Correlation: nan, Chance: nan},
				Parameters: []tuner.ModelParameter{{Name: "lr", Slice: []tuner.ModelPoint{{Value: "0.1", Band: band(7, 7, 7)}}}},
			},
		},
	}
	want := `default/x: what gp makes of 9 trials
speed, to maximize: predicts nothing yet (rank correlation 0.50 with trials left out, and chance alone gives up to 0.62): importances are left out and curves are guesses; run more trials
size, which must not exceed 100: predicts nothing yet (its trials are too few or all alike): importances are left out and curves are guesses; run more trials

loss, to minimize
  PARAMETER  IMPORTANCE  BY ITSELF
  lr         90%         70%        ███████████████████████████
  momentum   -           -
  left out one at a time, 88% of 8 trials are within the range expected 95% of the time; rank correlation 0.75

  LR   0                                               10  LOSS
  0.1  ░░░░░●░░░░░                                         1
  0.2                      ░░░░░●░░░░░░░░░░░░░░░░░░░░░░░░  5
  0.3                           ●                          5

speed, to maximize
  left out one at a time, 100% of 8 trials are within the range expected 95% of the time; rank correlation 0.50

  LR        -1000                                         1000  SPEED
  0.1                                ●░░░░░░░░░░░░░░░░░░░░░░░░  0

  MOMENTUM  -1000                                         1000  SPEED
  0.25      ●░░░░░░░░░░░░░░░░░░░░░░░░░                          -1000

size, which must not exceed 100

  LR   7                                                7  SIZE
  0.1                           ●                          7

Along each parameter the others are as in --lr=0.1
`
	var b strings.Builder
	printModel(&b, &m)
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("model (-want +got):\n%s", diff)
	}
}

func TestSpaced(t *testing.T) {
	for _, tt := range []struct {
		n, most int
		want    []int
	}{
		{0, 3, []int{}},
		{2, 3, []int{0, 1}},
		{5, 3, []int{0, 2, 4}},
		{33, 11, []int{0, 3, 6, 10, 13, 16, 19, 22, 26, 29, 32}},
	} {
		if got := spaced(tt.n, tt.most); !cmp.Equal(got, tt.want) {
			t.Errorf("%d of %d: got %v, want %v", tt.most, tt.n, got, tt.want)
		}
	}
}
