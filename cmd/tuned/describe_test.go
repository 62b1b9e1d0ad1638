package main

import (
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// TestEventsFit: a terminal is not overrun by events, and of each it has the reason, or its beginning.
func TestEventsFit(t *testing.T) {
	events := []*tunedv1.Event{
		{Time: timestamppb.New(time.Unix(1e9, 0)), Reason: "ExperimentMaxTrialsReached", Message: strings.Repeat("long ", 40)},
		{Time: timestamppb.New(time.Unix(2e9, 0)), Trial: "mnist-hyperopt-x7k2bcdf", Reason: "TrialMetricsUnavailable", Warning: true, Message: "none"},
	}
	tests := []struct {
		columns int
		has     []string
	}{
		{0, []string{"mnist-hyperopt-x7k2bcdf", "ExperimentMaxTrialsReached", "TrialMetricsUnavailable (warning)"}},
		{160, []string{"mnist-hyperopt-x7k2bcdf", "ExperimentMaxTrialsReached", "TrialMetricsUnavailable (warning)"}},
		{110, []string{"mnist-hyperopt-x7k2bcdf", "ExperimentMax", "TrialMetricsUnav"}},
		{100, []string{" x7k2bcdf ", "ExperimentMaxTrialsReached", "TrialMetricsUnavailable (warning)"}},
		{81, []string{" x7k2bcdf ", "ExperimentMaxTrialsReached", "TrialMetricsUnavailable"}},
		{80, []string{" x7k2bcdf ", "ExperimentMaxTrialsReached", "TrialMetricsUnavailable"}},
		{60, []string{"Experime", "TrialMet"}},
		{40, []string{"Experim", "TrialMe"}},
	}
	for _, tt := range tests {
		var out strings.Builder
		eventTable(events, tt.columns).indentWithin(&out, tt.columns)
		for row := range strings.Lines(out.String()) {
			if w := lipgloss.Width(strings.TrimRight(row, "\n")); tt.columns > 0 && w > tt.columns {
				t.Errorf("%d columns: %d of %q", tt.columns, w, row)
			}
		}
		for _, want := range tt.has {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%d columns: no %q in\n%s", tt.columns, want, out.String())
			}
		}
	}
}
