package main

import (
	"slices"
	"testing"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

func TestStepsOfCurves(t *testing.T) {
	tests := []struct {
		name  string
		seqs  []uint64
		steps []int64
		total uint64
		want  []int64
	}{
		{"none", nil, nil, 0, nil},
		{"one without a step", []uint64{7}, []int64{0}, 1, []int64{0}},
		{"steps", []uint64{1, 2, 3}, []int64{0, 10, 20}, 3, []int64{0, 10, 20}},
		{"no steps", []uint64{1, 2, 3}, []int64{0, 0, 0}, 3, []int64{1, 2, 3}},
		{"no steps, every other metric", []uint64{2, 4, 6}, []int64{0, 0, 0}, 3, []int64{1, 2, 3}},
		{"no steps, thinned out", []uint64{1, 50, 100}, []int64{0, 0, 0}, 100, []int64{1, 50, 100}},
		{"no steps, as sent twice", []uint64{5, 5}, []int64{0, 0}, 2, []int64{0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &tunedv1.Curve{Total: tt.total}
			for i, seq := range tt.seqs {
				c.Points = append(c.Points, &tunedv1.Point{Seq: seq, Step: tt.steps[i]})
			}
			var got []int64
			for _, p := range pointsOf(c) {
				got = append(got, p.Step)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
