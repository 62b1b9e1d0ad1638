package server

import (
	"cmp"
	"maps"
	"math"
	"slices"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Numbers of points of a curve.
const (
	fewestPoints  = 3
	defaultPoints = 1000
	mostPoints    = 10_000
)

// curves groups measurements by metric and thins them out. Metric is "" for all.
func curves(ms []experiment.Measurement, metric string, most int) []*tunedv1.Curve {
	byMetric := map[string][]*experiment.Measurement{}
	for i := range ms {
		if m := &ms[i]; metric == "" || m.Metric == metric {
			byMetric[m.Metric] = append(byMetric[m.Metric], m)
		}
	}
	var out []*tunedv1.Curve
	for _, name := range slices.Sorted(maps.Keys(byMetric)) {
		points := byMetric[name]
		slices.SortStableFunc(points, func(a, b *experiment.Measurement) int {
			return cmp.Or(cmp.Compare(a.Step, b.Step), cmp.Compare(a.Seq, b.Seq))
		})
		curve := &tunedv1.Curve{Metric: name, Total: uint64(len(points))}
		for _, m := range thin(points, most) {
			curve.Points = append(curve.Points, &tunedv1.Point{Seq: m.Seq, Step: m.Step, Time: stamp(m.Time), Value: m.Value})
		}
		out = append(out, curve)
	}
	return out
}

// thin keeps at most so many points: the first, the last, and of each stretch between them the least and
// the greatest, so that no peak is lost.
func thin(points []*experiment.Measurement, most int) []*experiment.Measurement {
	if len(points) <= most {
		return points
	}
	inner := points[1 : len(points)-1]
	stretches := max(1, (most-2)/2)
	out := append(make([]*experiment.Measurement, 0, most), points[0])
	for i := range stretches {
		part := inner[i*len(inner)/stretches : (i+1)*len(inner)/stretches]
		low, high := extremes(part)
		switch {
		case most < 4 || low == high:
			out = append(out, part[high])
		default:
			out = append(out, part[min(low, high)], part[max(low, high)])
		}
	}
	return append(out, points[len(points)-1])
}

// extremes returns where the least and the greatest value stand, NaN left out unless there is nothing else.
func extremes(part []*experiment.Measurement) (low, high int) {
	low, high = -1, -1
	for i, m := range part {
		if math.IsNaN(m.Value) {
			continue
		}
		if low < 0 || m.Value < part[low].Value {
			low = i
		}
		if high < 0 || m.Value > part[high].Value {
			high = i
		}
	}
	return max(low, 0), max(high, 0)
}
