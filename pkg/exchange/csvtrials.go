package exchange

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// trials reads the rows.
func (c *table) trials(spec *experiment.Spec) []experiment.Trial {
	v, err := newValues(spec)
	if err != nil {
		c.fault(-1, "", "%v", err)
		return nil
	}
	place := make([]int, len(v.params)) // column of each parameter
	for i := range v.params {
		place[i] = slices.Index(c.use, parameterPrefix+v.params[i].Name)
	}
	out := make([]experiment.Trial, len(c.rows))
	for row := range c.rows {
		t := &out[row]
		given := make([]*string, len(place))
		for i, k := range place {
			if k >= 0 && c.rows[row][k] != "" {
				given[i] = &c.rows[row][k]
			}
		}
		t.Assignment = v.assignment(given, func(i int, detail string) { c.fault(row, c.header[place[i]], "%s", detail) })
		c.observe(t, row, spec)
		c.identify(t, row)
	}
	return out
}

// cell returns what a row says of something, and the title of its column; "" when there is none.
func (c *table) cell(row int, use string) (text, title string) {
	if k := slices.Index(c.use, use); k >= 0 {
		return strings.TrimSpace(c.rows[row][k]), c.header[k]
	}
	return "", ""
}

// observe reads the metrics and the state of a trial.
func (c *table) observe(t *experiment.Trial, row int, spec *experiment.Spec) {
	o := spec.Objective
	complete := true
	for _, name := range uniqueMetrics(spec) {
		text, title := c.cell(row, metricPrefix+name)
		m := experiment.Metric{Name: name, Min: text, Max: text, Latest: text}
		if text == "" {
			m = unavailable(name)
			complete = complete && !slices.Contains(spec.Needed(), name)
		} else if _, ok := (experiment.Observation{Metrics: []experiment.Metric{m}}).Value(name, o); !ok {
			c.fault(row, title, "want a number, got %q", text)
		}
		t.Observation.Metrics = append(t.Observation.Metrics, m)
	}
	text, title := c.cell(row, "state")
	state, known := stateNames[strings.ToLower(text)]
	switch {
	case text != "" && !known:
		c.fault(row, title, "%q is no state; want one of Succeeded, Failed, Killed, EarlyStopped, MetricsUnavailable", text)
	case text == "" && complete:
		state = experiment.TrialSucceeded
	case text == "":
		state = experiment.TrialMetricsUnavailable
	case state == experiment.TrialSucceeded && !complete:
		c.fault(row, title, "it is %s, and has no value of %s", text, strings.Join(spec.Needed(), " or of "))
	}
	t.State = state
}

// unavailable is a metric without a value, as Katib writes it.
func unavailable(name string) experiment.Metric {
	const none = "unavailable"
	return experiment.Metric{Name: name, Min: none, Max: none, Latest: none}
}

// uniqueMetrics are all metrics of a spec, the objective first.
func uniqueMetrics(s *experiment.Spec) []string {
	names := s.Needed()
	for _, name := range s.Objective.AdditionalMetricNames {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// identify reads number, reason, message and times.
func (c *table) identify(t *experiment.Trial, row int) {
	t.Number = uint64(row) + 1
	if text, title := c.cell(row, "number"); title != "" {
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			c.fault(row, title, "want a whole number, got %q", text)
		} else if first, twice := c.numbers[n]; twice {
			c.fault(row, title, "line %d has trial %d, too", first, n)
		}
		c.numbers[n], t.Number = c.lines[row], n
	}
	t.Reason, _ = c.cell(row, "reason")
	if k := slices.Index(c.use, "message"); k >= 0 {
		t.Message = c.rows[row][k]
	}
	for _, of := range []struct {
		use string
		at  *time.Time
	}{{"created", &t.Created}, {"started", &t.Started}, {"finished", &t.Finished}} {
		text, title := c.cell(row, of.use)
		at, err := readTime(text)
		if err != nil {
			c.fault(row, title, "%v", err)
		}
		*of.at = at
	}
	if t.Created.IsZero() {
		t.Created = t.Started
	}
}

// readTime reads what we write, and what data frames do; without a zone it is UTC.
func readTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("want a time such as 2026-03-01T12:00:00Z, got %q", text)
}

// renumber sorts trials by number and numbers them from 1; it reports whether there were gaps. Optuna
// counts from 0.
func renumber(trials []experiment.Trial) (gaps bool) {
	slices.SortStableFunc(trials, func(a, b experiment.Trial) int { return cmp.Compare(a.Number, b.Number) })
	for i := range trials {
		if t := &trials[i]; t.Number != uint64(i) && t.Number != uint64(i)+1 {
			gaps = true
		}
	}
	for i := range trials {
		trials[i].Number = uint64(i) + 1
	}
	return gaps
}
