package main

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/tuned-hpo/tuned/pkg/collector"
)

// Rates that are kept in full, in measurements per second, and the size of the spool in bytes from
// which the lower one counts.
const (
	fullRate  = 50_000
	slowRate  = 100
	slowAbove = 256 << 20
)

// pace bounds how many measurements are kept. Of what comes beyond the rate, the least, the
// greatest and the latest value of each metric are held back until there is room, so that no
// metric strategy changes its answer.
type pace struct {
	room    float64              // measurements that can be kept now, parts of one too
	at      time.Time            // of which room is; zero before the first measurement
	held    map[string]*extremes // by metric
	order   int                  // of the last measurement that is held back; the first has 1
	dropped int                  // measurements that were held back and are not kept
}

// extremes are held samples of one metric.
type extremes struct {
	least, greatest, latest held
}

type held struct {
	sample collector.Sample
	value  float64
	order  int // of arrival since the last release
}

// admit returns those of the samples that there is room for, and holds the others back.
func (p *pace) admit(now time.Time, rate float64, samples []collector.Sample) []collector.Sample {
	if p.at.IsZero() {
		p.room = rate
	} else {
		p.room = min(rate, p.room+rate*now.Sub(p.at).Seconds())
	}
	p.at = now
	n := min(len(samples), int(p.room))
	if len(p.held) > 0 {
		n = 0 // what is held back comes first
	}
	p.room -= float64(n)
	for _, s := range samples[n:] {
		p.hold(s)
	}
	return samples[:n]
}

func (p *pace) hold(s collector.Sample) {
	value, err := strconv.ParseFloat(s.Text, 64)
	if err != nil && !math.IsInf(value, 0) {
		value = math.NaN()
	}
	p.order++
	h := held{sample: s, value: value, order: p.order}
	e := p.held[s.Metric]
	if e == nil {
		if p.held == nil {
			p.held = map[string]*extremes{}
		}
		p.held[s.Metric] = &extremes{least: h, greatest: h, latest: h}
		return
	}
	e.latest = h
	if value < e.least.value || math.IsNaN(e.least.value) {
		e.least = h
	}
	if value > e.greatest.value || math.IsNaN(e.greatest.value) {
		e.greatest = h
	}
}

// release returns what was held back, in the order in which it came.
func (p *pace) release() []collector.Sample {
	var all []held
	for _, e := range p.held {
		for _, h := range []held{e.least, e.greatest, e.latest} {
			if !slices.ContainsFunc(all, func(o held) bool { return o.order == h.order }) {
				all = append(all, h)
			}
		}
	}
	p.dropped += p.order - len(all)
	p.held, p.order = nil, 0
	slices.SortFunc(all, func(a, b held) int { return a.order - b.order })
	samples := make([]collector.Sample, len(all))
	for i, h := range all {
		samples[i] = h.sample
	}
	return samples
}
