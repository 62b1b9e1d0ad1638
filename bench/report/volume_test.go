package report

import (
	"math"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/bench/run"
)

// TestVolumes wants the mean over seeds by problem, of problems with several objectives alone.
func TestVolumes(t *testing.T) {
	runs := []*run.Trajectory{
		curveOf("ours", "a1", 1, 1, 0.5), curveOf("peer", "a1", 1, 1, 0.25), curveOf("ours", "b1", 1, 1, 0.75),
		curveOf("ours", "a1", 2, 1, 0.25), curveOf("ours", "c1", 1, 1, 0.75),
	}
	for _, tr := range runs[:4] {
		tr.Losses = []run.Numbers{{1, 2}, {3, 4}}
	}
	runs[4].Losses = []run.Numbers{{1}, {2}}
	s := New(runs, nil).Sections[0]
	if len(s.Volumes) != 3 {
		t.Errorf("got %+v", s.Volumes)
	}
	for _, want := range []Volume{{"a1", "ours", 0.625}, {"a1", "peer", 0.75}, {"b1", "ours", 0.25}} {
		if got := s.Volume(want.Problem, want.Optimizer); math.Abs(float64(got-want.Share)) > 1e-15 {
			t.Errorf("%s on %s: got %g, want %g", want.Optimizer, want.Problem, got, want.Share)
		}
	}
	if got := s.Volume("b1", "peer"); !math.IsNaN(float64(got)) {
		t.Errorf("without a run: got %g", got)
	}
	var text strings.Builder
	s.volumeTable().Plain(&text)
	for _, want := range []string{"0.6250", "0.7500", "0.2500", "-"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table lacks %s:\n%s", want, text.String())
		}
	}
}
