package server

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Numbers of points of a curve.
const (
	fewestPoints  = 3
	defaultPoints = 1000
	mostPoints    = 10_000
)

// curvePart is how many measurements are looked at together: what a curve of any length takes of memory.
const curvePart = 10_000

// curves thins out measurements by metric while they come, in memory that depends on the number of points
// alone.
type curves struct {
	metric string // "" for all
	most   int    // points of one curve

	byMetric map[string]*curve
	latest   *curve // of the measurement before, which the next one mostly belongs to
}

// add takes in the measurements that follow.
func (c *curves) add(ms []experiment.Measurement) {
	for i := range ms {
		m := &ms[i]
		if c.metric != "" && m.Metric != c.metric {
			continue
		}
		if c.latest == nil || c.latest.metric != m.Metric {
			c.latest = c.of(m.Metric)
		}
		c.latest.add(point{m.Seq, m.Step, m.Time, m.Value})
	}
}

func (c *curves) of(metric string) *curve {
	found := c.byMetric[metric]
	if found == nil {
		if c.byMetric == nil {
			c.byMetric = map[string]*curve{}
		}
		found = &curve{metric: metric, stretches: max(1, (c.most-2)/2), width: 1}
		c.byMetric[metric] = found
	}
	return found
}

// messages returns the curves by metric.
func (c *curves) messages() []*tunedv1.Curve {
	var out []*tunedv1.Curve
	for _, name := range slices.Sorted(maps.Keys(c.byMetric)) {
		drawn := c.byMetric[name]
		message := &tunedv1.Curve{Metric: name, Total: drawn.total}
		for _, p := range drawn.points(c.most) {
			message.Points = append(message.Points, &tunedv1.Point{Seq: p.seq, Step: p.step, Time: stamp(p.time), Value: p.value})
		}
		out = append(out, message)
	}
	return out
}

// point is a measurement of a curve.
type point struct {
	seq   uint64
	step  int64
	time  time.Time
	value float64
}

// compare orders points as they are drawn.
func (p point) compare(q point) int {
	return cmp.Or(cmp.Compare(p.step, q.step), cmp.Compare(p.seq, q.seq))
}

// curve keeps the least and the greatest of each stretch of measurements of one metric. A stretch is width
// measurements that came one after the other. When there are too many stretches, each two become one.
type curve struct {
	metric    string
	stretches int    // how many of them are drawn
	width     uint64 // measurements of a full stretch
	total     uint64

	first, last point // in the order in which they are drawn
	kept        []stretch
}

// stretch has the extremes of some measurements. NaN is one only when there is nothing else.
type stretch struct{ low, high point }

func (c *curve) add(p point) {
	if c.total == 0 || p.compare(c.first) < 0 {
		c.first = p
	}
	if c.total == 0 || p.compare(c.last) >= 0 {
		c.last = p
	}
	if c.total%c.width == 0 {
		if len(c.kept) == c.room() {
			c.halve()
		}
		c.kept = append(c.kept, stretch{p, p})
	} else {
		c.kept[len(c.kept)-1].add(&p)
	}
	c.total++
}

// room is how many stretches are kept at most: more than there are points, so that a short curve is whole.
// It is an even number.
func (c *curve) room() int { return 4 * (c.stretches + 1) }

// halve joins each two stretches.
func (c *curve) halve() {
	for i := range len(c.kept) / 2 {
		c.kept[2*i].join(&c.kept[2*i+1])
		c.kept[i] = c.kept[2*i]
	}
	c.kept = c.kept[:len(c.kept)/2]
	c.width *= 2
}

// add widens a stretch by a point.
func (s *stretch) add(p *point) {
	if p.value < s.low.value || math.IsNaN(s.low.value) {
		s.low = *p
	}
	if p.value > s.high.value || math.IsNaN(s.high.value) {
		s.high = *p
	}
}

// join widens a stretch by another one.
func (s *stretch) join(t *stretch) {
	s.add(&t.low)
	s.add(&t.high)
}

// points returns at most so many points as they are drawn: all there are, else the first, the last, and the
// extremes of each stretch, so that no peak is lost.
func (c *curve) points(most int) []point {
	var out []point
	if c.total <= uint64(most) { // each is a stretch of its own
		for _, s := range c.kept {
			out = append(out, s.low)
		}
		slices.SortStableFunc(out, point.compare)
		return out
	}
	out = append(out, c.first, c.last)
	for i := range c.stretches {
		part := c.kept[i*len(c.kept)/c.stretches : (i+1)*len(c.kept)/c.stretches]
		s := part[0]
		for i := range part[1:] {
			s.join(&part[i+1])
		}
		if out = append(out, s.high); most > fewestPoints {
			out = append(out, s.low)
		}
	}
	slices.SortFunc(out, point.compare)
	return slices.CompactFunc(out, func(p, q point) bool { return p.compare(q) == 0 })
}
