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
// of a webhook may be a secret.
func writeJSON(w io.Writer, s *Study) error {
	e := *s.Experiment
	e.Local, e.Revision = experiment.Local{}, 0
	silence(&e.Spec)
	d := document{Format: jsonFormat, Version: jsonVersion, Experiment: &e, Trials: make([]documentTrial, len(s.Trials))}
	verdicts := s.verdicts()
	for i := range s.Trials {
		t := &s.Trials[i]
		out := documentTrial{
			Trial: *t, Parameters: map[string]string{}, Metrics: map[string]*float64{},
			Feasible: verdicts[i].feasible, Front: verdicts[i].front, Best: verdicts[i].best,
			Measurements: s.Measured[t.Number],
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
		d.Trials[i] = out
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(&d)
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
