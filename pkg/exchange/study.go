// Package exchange carries experiments to other tools and back: it writes and reads them as CSV,
// JSON, Parquet and the journal of an Optuna study, and reads Optuna's SQLite files as well. It knows readers and writers alone, no files.
package exchange

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Study is an experiment with all that is exchanged of it.
type Study struct {
	Experiment *experiment.Experiment
	Trials     []experiment.Trial // by number, which counts from 1 without gaps
	// Measured are the measurements by trial number: those of its last attempt, in the order of time.
	Measured map[uint64][]experiment.Measurement
	// Measure, unless nil, gives them in place of Measured, one trial after the other while the study is written, so
	// that they need not be in memory together.
	Measure func(t *experiment.Trial) ([]experiment.Measurement, error)
	// Notes tell what of a source was left out or guessed, and why. Readers alone set them.
	Notes []string
}

// The formats, as flags and routes name them.
const (
	CSV     = "csv"
	JSON    = "json"
	Parquet = "parquet"
	Journal = "optuna-journal"
	SQLite  = "optuna-sqlite" // is read alone
)

// Formats are the formats that Write knows.
var Formats = []string{CSV, JSON, Parquet, Journal}

// Named returns the format of a name: optuna is the journal.
func Named(name string) string {
	if name == "optuna" {
		return Journal
	}
	return name
}

// Curves reports whether a format has the measurements of trials.
func Curves(format string) bool { return format == JSON || format == Journal }

// Write writes a study in a format.
func Write(w io.Writer, format string, s *Study) error {
	switch format {
	case CSV:
		return writeCSV(w, s)
	case JSON:
		return writeJSON(w, s)
	case Parquet:
		return writeParquet(w, s)
	case Journal:
		return writeJournal(w, s)
	}
	return fmt.Errorf("no format %q; want one of %q", format, Formats)
}

// measured returns the measurements of a trial.
func (s *Study) measured(t *experiment.Trial) ([]experiment.Measurement, error) {
	if s.Measure != nil {
		return s.Measure(t)
	}
	return s.Measured[t.Number], nil
}

// verdict is what an experiment says of one of its trials.
type verdict struct {
	feasible *bool // nil without constraints, and for a trial without a result
	front    *bool // on the Pareto front; nil with one objective
	best     bool
}

// verdicts returns those of all trials.
func (s *Study) verdicts() []verdict {
	spec := &s.Experiment.Spec
	tally := experiment.NewTally(spec, s.Trials)
	best, _ := tally.Best()
	front := map[uint64]bool{}
	for _, number := range tally.Front() {
		front[number] = true
	}
	out := make([]verdict, len(s.Trials))
	for i := range s.Trials {
		t := &s.Trials[i]
		out[i].best = t.Number == best.Number
		if len(spec.Objectives()) > 1 {
			out[i].front = new(front[t.Number])
		}
		if len(spec.Constraints()) > 0 && hasResult(spec, t) {
			out[i].feasible = new(spec.Feasible(spec.ValueOf(t)))
		}
	}
	return out
}

// hasResult reports whether a trial ended with a finite value of each objective.
func hasResult(s *experiment.Spec, t *experiment.Trial) bool {
	return (t.State == experiment.TrialSucceeded || t.State == experiment.TrialEarlyStopped) &&
		!slices.ContainsFunc(s.Losses(s.ValueOf(t)), math.IsNaN)
}

// metrics returns the names of the experiment's metrics: the objective, then the others.
func (s *Study) metrics() []string {
	o := s.Experiment.Spec.Objective
	return append([]string{o.ObjectiveMetricName}, o.AdditionalMetricNames...)
}

// metric returns a trial's value of a metric; false when there is none.
func (s *Study) metric(t *experiment.Trial, name string) (float64, bool) {
	return t.Observation.Value(name, s.Experiment.Spec.Objective)
}

// parameter returns the text of a trial's parameter; false when it is not active.
func parameter(t *experiment.Trial, name string) (string, bool) {
	for _, p := range t.Assignment {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// seconds returns how long a trial ran; false until it has ended.
func seconds(t *experiment.Trial) (float64, bool) {
	if t.Started.IsZero() || t.Finished.Before(t.Started) {
		return 0, false
	}
	return t.Finished.Sub(t.Started).Seconds(), true
}

// exact is the shortest text that reads back as the same number.
func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// timeText is a time as RFC 3339 in UTC; "" when it is not known.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
