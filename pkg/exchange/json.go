package exchange

import (
	"encoding/json"
	"io"
	"math"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// jsonFormat and jsonVersion name the document. A reader refuses a version that it does not know.
const (
	jsonFormat  = "tuned-experiment"
	jsonVersion = 1
)

// document is an experiment as one JSON object; docs/exchange.md describes it.
type document struct {
	Format     string                 `json:"format"`
	Version    int                    `json:"version"`
	Experiment *experiment.Experiment `json:"experiment"`
	Trials     []documentTrial        `json:"trials"`
}

// documentTrial is a trial as it is stored, with what follows from it, which a reader does not need.
type documentTrial struct {
	experiment.Trial
	Parameters   map[string]string        `json:"parameters"`
	Metrics      map[string]*float64      `json:"metrics"` // null for NaN and infinities, which observation has
	Seconds      *float64                 `json:"seconds"`
	Feasible     *bool                    `json:"feasible,omitempty"`
	Front        *bool                    `json:"front,omitempty"`
	Best         bool                     `json:"best"`
	Measurements []experiment.Measurement `json:"measurements,omitempty"`
}

// writeJSON writes all of a study but how its trials run on this machine, and whom it tells: the address
// of a webhook may be a secret. The document is never in memory as a whole.
func writeJSON(w io.Writer, s *Study) error {
	e := *s.Experiment
	e.Local, e.Revision = experiment.Local{}, 0
	silence(&e.Spec)
	head, err := json.MarshalIndent(&document{Format: jsonFormat, Version: jsonVersion, Experiment: &e, Trials: []documentTrial{}}, "", indentation)
	if err != nil {
		return err
	}
	before, after := string(head[:len(head)-len(noTrials)]), noTrials+"\n"
	if len(s.Trials) > 0 {
		before, after = before+"[", "\n"+indentation+"]\n}\n"
	}
	if _, err := io.WriteString(w, before); err != nil {
		return err
	}
	verdicts := s.verdicts()
	for i := range s.Trials {
		if err := s.writeTrial(w, &s.Trials[i], verdicts[i], i == 0); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, after)
	return err
}

const (
	indentation = "  "
	noTrials    = "[]\n}" // how a document without trials ends
)

// writeTrial writes a trial into the list of a document.
func (s *Study) writeTrial(w io.Writer, t *experiment.Trial, v verdict, first bool) error {
	out := documentTrial{
		Trial: *t, Parameters: map[string]string{}, Metrics: map[string]*float64{}, Feasible: v.feasible, Front: v.front, Best: v.best,
	}
	var err error
	if out.Measurements, err = s.measured(t); err != nil {
		return err
	}
	for _, p := range t.Assignment {
		out.Parameters[p.Name] = p.Value
	}
	for _, m := range s.metrics() {
		if v, ok := s.metric(t, m); ok {
			out.Metrics[m] = finite(v)
		}
	}
	if d, ok := seconds(t); ok {
		out.Seconds = &d
	}
	const prefix = indentation + indentation
	text, err := json.MarshalIndent(&out, prefix, indentation)
	if err != nil {
		return err
	}
	between := ",\n" + prefix
	if first {
		between = "\n" + prefix
	}
	_, err = w.Write(append([]byte(between), text...))
	return err
}

// silence takes the webhooks away.
func silence(s *experiment.Spec) {
	if s.Tuned != nil && len(s.Tuned.Webhooks) > 0 {
		quiet := *s.Tuned
		quiet.Webhooks = nil
		s.Tuned = &quiet
	}
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
