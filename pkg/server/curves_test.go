package server

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// TestCurveOfAnyLength: a curve has its ends and its extremes, and all there is when that fits.
func TestCurveOfAnyLength(t *testing.T) {
	lengths := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 40, 41, 99, 100, 101, 1000, 12_345}
	for _, order := range []string{"ascending", "shuffled", "no steps"} {
		for _, most := range []int{3, 4, 5, 6, 7, 8, 9, 100, 101} {
			for _, n := range lengths {
				t.Run(fmt.Sprintf("%s/%d of %d", order, most, n), func(t *testing.T) { curveOf(t, order, most, n) })
			}
		}
	}
}

func curveOf(t *testing.T, order string, most, n int) {
	random := rand.New(rand.NewPCG(uint64(n), uint64(most)))
	steps := random.Perm(n)
	low, high := random.IntN(n), random.IntN(n)
	c := curves{most: most, metric: "loss"}
	for i := range n {
		m := experiment.Measurement{Seq: uint64(i + 1), Step: int64(i), Metric: "loss", Value: random.Float64()}
		switch order {
		case "shuffled":
			m.Step = int64(steps[i])
		case "no steps":
			m.Step = 0
		}
		switch i {
		case high:
			m.Value = 2
		case low:
			m.Value = -1
		case n / 3, n / 2:
			m.Value = math.NaN()
		}
		c.add([]experiment.Measurement{m, {Seq: m.Seq, Metric: "other"}})
	}
	got := c.messages()
	if len(got) != 1 || got[0].GetTotal() != uint64(n) {
		t.Fatalf("got %v", got)
	}
	points := got[0].GetPoints()
	if n <= most && len(points) != n || len(points) > most || n > 100 && len(points) < most/2 {
		t.Errorf("got %d points", len(points))
	}
	checkEnds(t, order, points, n)
	least, greatest := math.Inf(1), math.Inf(-1)
	for i, p := range points {
		if !math.IsNaN(p.GetValue()) {
			least, greatest = min(least, p.GetValue()), max(greatest, p.GetValue())
		}
		if i > 0 && (p.GetStep() < points[i-1].GetStep() || p.GetStep() == points[i-1].GetStep() && p.GetSeq() <= points[i-1].GetSeq()) {
			t.Errorf("point %d is out of order", i)
		}
	}
	if greatest != 2 || low != high && most > fewestPoints && least != -1 {
		t.Errorf("got values from %v to %v, want -1 to 2", least, greatest)
	}
}

func checkEnds(t *testing.T, order string, points []*tunedv1.Point, n int) {
	t.Helper()
	first, last := points[0], points[len(points)-1]
	switch order {
	case "no steps":
		if first.GetSeq() != 1 || last.GetSeq() != uint64(n) {
			t.Errorf("got measurements %d to %d", first.GetSeq(), last.GetSeq())
		}
	default:
		if first.GetStep() != 0 || last.GetStep() != int64(n-1) {
			t.Errorf("got steps %d to %d", first.GetStep(), last.GetStep())
		}
	}
}

// BenchmarkCurve is the drawing of a long curve without the reading of it.
func BenchmarkCurve(b *testing.B) {
	ms := make([]experiment.Measurement, curvePart)
	for i := range ms {
		ms[i] = experiment.Measurement{Seq: uint64(i + 1), Step: int64(i), Metric: "loss", Value: math.Sin(float64(i) / 300)}
	}
	for b.Loop() {
		c := curves{most: defaultPoints}
		for range 100 {
			c.add(ms)
		}
		if got := c.messages(); got[0].GetTotal() != 100*curvePart {
			b.Fatal(got[0].GetTotal())
		}
	}
}
