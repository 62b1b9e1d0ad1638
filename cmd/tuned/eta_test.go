package main

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestETA(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name                string
		finished, running   []time.Duration
		remaining, parallel int
		want                time.Duration
		ok                  bool
	}{
		{"nothing finished yet", nil, []time.Duration{s}, 10, 2, 0, false},
		{"nothing remains", []time.Duration{s}, nil, 0, 2, 0, false},
		{"one after the other", []time.Duration{2 * s, 4 * s}, nil, 5, 1, 15 * s, true},
		{"spread over the parallel ones", []time.Duration{3 * s}, nil, 6, 3, 6 * s, true},
		{"running ones have done a part", []time.Duration{4 * s}, []time.Duration{s, 3 * s}, 4, 2, 6 * s, true},
		{"a slow one counts as done", []time.Duration{2 * s}, []time.Duration{time.Hour}, 1, 4, 0, true},
		{"an age below zero counts as none", []time.Duration{2 * s}, []time.Duration{-time.Hour}, 1, 1, 2 * s, true},
		{"fewer remain than may run", []time.Duration{2 * s}, nil, 2, 8, 2 * s, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := eta(tt.finished, tt.running, tt.remaining, tt.parallel)
			if got != tt.want || ok != tt.ok {
				t.Errorf("eta = %v, %v, want %v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestETAIsNeverNegative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		durations := rapid.SliceOf(rapid.Map(rapid.Int64Range(0, math.MaxInt64), func(n int64) time.Duration {
			return time.Duration(n)
		}))
		got, _ := eta(durations.Draw(t, "finished"), durations.Draw(t, "running"),
			rapid.IntRange(0, math.MaxInt32).Draw(t, "remaining"), rapid.IntRange(0, 1000).Draw(t, "parallel"))
		if got < 0 {
			t.Errorf("eta = %v, want at least 0", got)
		}
	})
}

func TestETAText(t *testing.T) {
	tests := []struct {
		name  string
		known bool
		left  time.Duration
		want  string
	}{
		{"not known", false, time.Minute, ""},
		{"trials take longer than those before", true, 0, ""},
		{"overdue", true, -time.Second, ""},
		{"little", true, 3 * time.Millisecond, "<1s"},
		{"more", true, 31 * time.Second, "31s"},
	}
	for _, tt := range tests {
		if got := etaText(tt.known, tt.left); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
