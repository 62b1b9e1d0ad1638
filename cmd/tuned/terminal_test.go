package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

func TestDrawFitsItsWidth(t *testing.T) {
	p := newProgress(fixture(), start, start.Add(12*time.Second))
	for _, width := range []int{20, 33, 80, 200} {
		for line := range strings.Lines(draw(&p, time.Second, width, 30)) {
			if got := lipgloss.Width(strings.TrimSuffix(line, "\n")); got > width {
				t.Errorf("width %d: line of %d columns: %q", width, got, line)
			}
		}
	}
}

func TestDrawShows(t *testing.T) {
	p := newProgress(fixture(), start, start.Add(12*time.Second))
	got := ansi.Strip(draw(&p, time.Second, 120, 30))
	for _, want := range []string{
		"digits", "minimize loss to 0.05", "best loss=0.3", "3/8 done, 1 running, 1 failed", "13s", "about 8s left",
		"digits-3 Failed (exit code 3)", "█▁▁",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("picture lacks %q:\n%s", want, got)
		}
	}
}

func TestBarIsFull(t *testing.T) {
	s := fixture()
	for _, n := range []int32{1, 2, 3, 7, 1000} { // budgets below what is done come from edited experiments
		s.Experiment.Spec.MaxTrialCount = &n
		p := newProgress(s, start, start)
		if got := lipgloss.Width(barRow(&p, 50)); got != 48 {
			t.Errorf("budget %d: bar is %d columns wide, want 48", n, got)
		}
	}
}

func TestTerminalEndsWithTheLastPicture(t *testing.T) {
	var out bytes.Buffer
	v := newTerminal(&out, tea.WithWindowSize(100, 30))
	s := fixture()
	v.begin(newProgress(s, start, start))
	s.Trials[3].State = s.Trials[0].State
	v.change(newProgress(s, start, start.Add(time.Second)))
	v.end()
	if got := ansi.Strip(out.String()); !strings.Contains(got, "4/8 done") {
		t.Errorf("terminal does not show the last progress: %q", got)
	}
}

func TestDrawFitsItsHeight(t *testing.T) {
	p := newProgress(fixture(), start, start.Add(12*time.Second))
	for _, height := range []int{1, 2, 5, 8, 10} {
		for _, width := range []int{20, 40, 80} {
			got := draw(&p, 0, width, height)
			if n := strings.Count(got, "\n"); n > max(1, height-1) {
				t.Errorf("%dx%d: %d rows:\n%s", width, height, n, got)
			}
			if width >= 40 && height >= 5 && (!strings.Contains(got, "loss=0.3") || !strings.Contains(got, "left")) {
				t.Errorf("%dx%d: lacks the best value or the time left:\n%s", width, height, got)
			}
		}
	}
}
