package main

import (
	"math"
	"slices"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestSparkline(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name   string
		values []float64
		width  int
		want   string
	}{
		{"no value", nil, 8, ""},
		{"one value", []float64{3}, 8, "▅"},
		{"constant", []float64{2, 2, 2}, 8, "▅▅▅"},
		{"rising", []float64{0, 1, 2, 3, 4, 5, 6, 7}, 8, "▁▂▃▄▅▆▇█"},
		{"falling", []float64{1, 0}, 8, "█▁"},
		{"NaN is a dot", []float64{0, nan, 7}, 8, "▁·█"},
		{"only NaN", []float64{nan, nan}, 8, "··"},
		{"infinities do not flatten the rest", []float64{0, inf, -inf, 1}, 8, "▁··█"},
		{"widest range", []float64{-math.MaxFloat64, 0, math.MaxFloat64}, 8, "▁▅█"},
		{"thinned to the last of each stretch", []float64{9, 0, 9, 1}, 2, "▁█"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := sparkline(tt.values, tt.width); got != tt.want {
				t.Errorf("sparkline(%v, %d) = %q, want %q", tt.values, tt.width, got, tt.want)
			}
		})
	}
}

func TestSparklineTakesAnyNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(rapid.Float64()).Draw(t, "values")
		width := rapid.IntRange(1, 30).Draw(t, "width")
		got := utf8.RuneCountInString(sparkline(values, width))
		if want := min(len(values), width); got != want {
			t.Errorf("sparkline of %d values is %d wide, want %d", len(values), got, want)
		}
	})
}

func TestBestSoFar(t *testing.T) {
	nan := math.NaN()
	less := func(a, b float64) bool { return a < b }
	more := func(a, b float64) bool { return a > b }
	tests := []struct {
		name   string
		values []float64
		better func(a, b float64) bool
		want   []float64
	}{
		{"minimize", []float64{3, 5, 1, 2}, less, []float64{3, 3, 1, 1}},
		{"maximize", []float64{3, 5, 1, 9}, more, []float64{3, 5, 5, 9}},
		{"NaN first", []float64{nan, 2, nan}, less, []float64{nan, 2, 2}},
		{"minus infinity never wins", []float64{1, math.Inf(-1)}, less, []float64{1, 1}},
	}
	same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := bestSoFar(tt.values, tt.better); !slices.EqualFunc(got, tt.want, same) {
				t.Errorf("bestSoFar(%v) = %v, want %v", tt.values, got, tt.want)
			}
		})
	}
}
