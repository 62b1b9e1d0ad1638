package experiment

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// unavailableValue is Katib's text for a value that a metric does not have.
const unavailableValue = "unavailable"

// The metric strategies of Katib.
const (
	strategyMin    = "min"
	strategyMax    = "max"
	strategyLatest = "latest"
)

// Observe summarises measurements of the objective's metrics: the objective metric first, then the
// additional ones in the order of the spec, then any other that has a strategy. The text is Katib's:
// Min and Max range over the values that are float64 numbers, and a NaN that comes before all other
// numbers stays in both; Latest is the value with the latest time, the later in order among equal times.
func Observe(o *Objective, ms []Measurement) Observation {
	names := o.metrics()
	summaries := make([]summary, len(names))
	byName := make(map[string]*summary, len(names))
	for i, name := range names {
		byName[name] = &summaries[i]
	}
	for i := range ms {
		if s := byName[ms[i].Metric]; s != nil {
			s.add(&ms[i])
		}
	}
	out := Observation{Metrics: make([]Metric, len(names))}
	for i, name := range names {
		out.Metrics[i] = summaries[i].metric(name, o.strategy(name))
	}
	return out
}

// Value returns a metric's value by its strategy in the objective: the least, the greatest or the
// latest, and the latest as well when the others are unavailable. It reports false for a metric
// that is absent, unavailable or no number. NaN is a number here: it is returned, with true, when
// the metric has no better one.
func (o Observation) Value(metric string, objective *Objective) (float64, bool) {
	return o.value(metric, objective.strategy(metric))
}

// Latest returns the last value that a trial had of a metric, as Value does.
func (o Observation) Latest(metric string) (float64, bool) { return o.value(metric, strategyLatest) }

// Beside says of a metric, whose least or greatest value counts, which it is and what the latest was; "" where that is
// the same.
func (o Observation) Beside(metric string, objective *Objective) string {
	counts, ok := o.Value(metric, objective)
	latest, known := o.Latest(metric)
	if !ok || !known || counts == latest || math.IsNaN(counts) && math.IsNaN(latest) {
		return ""
	}
	of := map[string]string{strategyMin: "least", strategyMax: "greatest"}[objective.strategy(metric)]
	return fmt.Sprintf("%s of its values; latest %s", of, strconv.FormatFloat(latest, 'g', -1, 64))
}

func (o Observation) value(metric, strategy string) (float64, bool) {
	for i := range o.Metrics {
		if o.Metrics[i].Name == metric {
			return o.Metrics[i].by(strategy)
		}
	}
	return math.NaN(), false
}

// ParseValue reads the text of a metric's value: what strconv.ParseFloat takes, NaN in any case and
// with a sign, surrounding space; a number beyond float64 such as 1e400 is an infinity. It returns
// NaN for text that is no number.
func ParseValue(text string) float64 {
	v, _ := metricNumber(text)
	return v
}

// metricNumber is ParseValue that tells NaN from text that is no number.
func metricNumber(text string) (float64, bool) {
	if text == unavailableValue {
		return math.NaN(), false
	}
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return v, true
	}
	text = strings.TrimSpace(text)
	if v, err := strconv.ParseFloat(text, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return v, true
	}
	return math.NaN(), strings.EqualFold(text, "-nan") || strings.EqualFold(text, "+nan")
}

// by returns the metric's value by a strategy.
func (m *Metric) by(strategy string) (float64, bool) {
	text := m.Latest
	switch {
	case strategy == strategyLatest:
	case m.Value != "":
		text = m.Value
	case strategy == strategyMin && m.Min != unavailableValue:
		text = m.Min
	case strategy == strategyMax && m.Max != unavailableValue:
		text = m.Max
	}
	return metricNumber(text)
}

// metrics returns the names of the metrics that are observed.
func (o *Objective) metrics() []string {
	var names []string
	if o.ObjectiveMetricName != "" {
		names = append(names, o.ObjectiveMetricName)
	}
	names = append(names, o.AdditionalMetricNames...)
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		seen[name] = true
	}
	for _, s := range o.MetricStrategies {
		if !seen[s.Name] {
			seen[s.Name] = true
			names = append(names, s.Name)
		}
	}
	return names
}

// strategy returns a metric's strategy, with the default that Katib fills in where none is stated.
func (o *Objective) strategy(metric string) string {
	for _, s := range o.MetricStrategies {
		if s.Name == metric {
			return s.Value
		}
	}
	switch o.Type {
	case objectiveMinimize:
		return strategyMin
	case objectiveMaximize:
		return strategyMax
	}
	return strategyLatest
}

// summary gathers one metric's measurements.
type summary struct {
	first          string // text of the first number; "" when there is none
	least, most    string // text of the extremes among the numbers that are not NaN; "" when there is none
	min, max       float64
	latest         string
	latestTime     time.Time
	measuredAtAll  bool
	startedWithNaN bool
}

func (s *summary) add(m *Measurement) {
	if !s.measuredAtAll || !m.Time.Before(s.latestTime) {
		s.latest, s.latestTime, s.measuredAtAll = m.Text, m.Time, true
	}
	// Unlike metricNumber, as Katib: a number out of range only ever is the latest.
	v, err := strconv.ParseFloat(m.Text, 64)
	if err != nil {
		return
	}
	if s.first == "" {
		s.first, s.startedWithNaN = m.Text, math.IsNaN(v)
	}
	if math.IsNaN(v) {
		return
	}
	if s.least == "" || v < s.min {
		s.least, s.min = m.Text, v
	}
	if s.most == "" || v > s.max {
		s.most, s.max = m.Text, v
	}
}

func (s *summary) metric(name, strategy string) Metric {
	m := Metric{Name: name, Min: s.least, Max: s.most, Latest: s.latest}
	if s.startedWithNaN {
		m.Min, m.Max = s.first, s.first
		switch strategy {
		case strategyMin:
			m.Value = s.least
		case strategyMax:
			m.Value = s.most
		}
	}
	if s.first == "" {
		m.Min, m.Max = unavailableValue, unavailableValue
	}
	if !s.measuredAtAll {
		m.Latest = unavailableValue
	}
	return m
}
