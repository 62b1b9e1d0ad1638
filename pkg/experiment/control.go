package experiment

import (
	"fmt"
	"math"
	"time"
)

// Control is what people and time did to an experiment beside its spec. The zero value is an
// experiment to which nothing was done.
type Control struct {
	Paused   bool `json:"paused,omitempty"`   // no trial starts
	Deleting bool `json:"deleting,omitempty"` // it is about to be gone
	// Imported names the call that stored the experiment with its trials; "" when it gave no name.
	Imported string `json:"imported,omitempty"`
	// OnCompletion is what becomes of running trials after a stop; "": what the spec says.
	OnCompletion OnCompletion `json:"onCompletion,omitempty"`
	// PastGoal is set when an experiment goes on after its goal was reached: the goal ends it no more.
	PastGoal bool `json:"pastGoal,omitempty"`
	// PastTermination is set when an experiment goes on after spec.tuned.termination: that ends it no more.
	PastTermination bool `json:"pastTermination,omitempty"`
	// Forgiven counts the failed trials that maxFailedTrialCount leaves out since it was resumed.
	Forgiven int32 `json:"forgiven,omitempty"`
	// TrialsThen and ActiveThen are how many trials there were, and how many of them not final, when the
	// counts of the spec were last changed. Beyond counts that were lowered there may be so many.
	TrialsThen int32 `json:"trialsThen,omitempty"`
	ActiveThen int32 `json:"activeThen,omitempty"`
	// Elapsed is how long it was driven, without pauses and without what follows its completion.
	Elapsed Duration `json:"elapsed,omitempty"`
	// TrialTime is how long its trials ran, added up: those of clients while it was driven.
	TrialTime Duration `json:"trialTime,omitempty"`
	// Saved is when these times were stored.
	Saved time.Time `json:"saved,omitzero"`
}

// Note is what a person remarked about an experiment or a trial.
type Note struct {
	Text string   `json:"text,omitempty"`
	Tags []string `json:"tags,omitempty"`
}

// Bounds of a Note.
const (
	maxNoteText = 64 << 10 // bytes
	maxTags     = 64
	maxTag      = 64 // bytes
)

// Check reports a note that is too large.
func (n *Note) Check() error {
	if len(n.Text) > maxNoteText {
		return fmt.Errorf("note of %d bytes, want at most %d", len(n.Text), maxNoteText)
	}
	if len(n.Tags) > maxTags {
		return fmt.Errorf("%d tags, want at most %d", len(n.Tags), maxTags)
	}
	for i, tag := range n.Tags {
		if tag == "" || len(tag) > maxTag {
			return fmt.Errorf("tag %d has %d bytes, want 1 to %d", i+1, len(tag), maxTag)
		}
	}
	return nil
}

// Cost says what an experiment may cost and how that is counted: by the hour, or by a metric.
type Cost struct {
	Max     *float64 `json:"max,omitempty"`     // no further trial is created from here on
	PerHour *float64 `json:"perHour,omitempty"` // of one running trial
	Metric  string   `json:"metric,omitempty"`  // whose values, each trial's last, are added up
}

// OnCompletion returns what becomes of the trials that run when the experiment has ended. A failed
// experiment stops them, unless a person ended it and wanted to see their ends.
func (e *Experiment) OnCompletion() OnCompletion {
	switch x := e.Spec.Tuned; {
	case e.Control.OnCompletion != "":
		return e.Control.OnCompletion
	case !e.Status.Succeeded():
		return Kill
	case x == nil || x.OnCompletion == "":
		return Drain
	default:
		return x.OnCompletion
	}
}

// maxCost returns the bound, if there is one.
func (s *Spec) maxCost() *float64 {
	if s.Tuned == nil || s.Tuned.Cost == nil {
		return nil
	}
	return s.Tuned.Cost.Max
}

// maxDuration returns the bound, if there is one.
func (s *Spec) maxDuration() *Duration {
	if s.Tuned == nil {
		return nil
	}
	return s.Tuned.MaxDuration
}

// costMetric returns the metric that costs are counted by; "" when there is none.
func (s *Spec) costMetric() string {
	if s.Tuned == nil || s.Tuned.Cost == nil {
		return ""
	}
	return s.Tuned.Cost.Metric
}

// EarlyStoppingRules returns the rules of spec.earlyStopping and spec.tuned.earlyStopping, in this order.
func (s *Spec) EarlyStoppingRules() (rules []*Algorithm) {
	if s.EarlyStopping != nil {
		rules = append(rules, s.EarlyStopping)
	}
	if s.Tuned != nil {
		for i := range s.Tuned.EarlyStopping {
			rules = append(rules, &s.Tuned.EarlyStopping[i])
		}
	}
	return rules
}

// FirstPoints returns the points of spec.tuned.firstPoints, their parameters in the order of the spec.
func (s *Spec) FirstPoints() [][]Pair {
	if s.Tuned == nil {
		return nil
	}
	out := make([][]Pair, len(s.Tuned.FirstPoints))
	for i, point := range s.Tuned.FirstPoints {
		for _, p := range s.Parameters {
			if value, ok := point[p.Name]; ok {
				out[i] = append(out[i], Pair{Name: p.Name, Value: value})
			}
		}
	}
	return out
}

// spend adds what a trial cost by spec.tuned.cost's metric. A value that is no positive number costs nothing.
func (y *Tally) spend(s *Spec, t *Trial) {
	metric := s.costMetric()
	if metric == "" || !t.State.Final() {
		return
	}
	if v := s.ValueOf(t)(metric); v > 0 && !math.IsInf(v, 0) {
		y.spent += v
	}
}

// Cost returns what the experiment has cost, 0 without spec.tuned.cost.
func (y *Tally) Cost(e *Experiment) float64 {
	if e.Spec.Tuned == nil || e.Spec.Tuned.Cost == nil {
		return 0
	}
	cost := y.spent
	if rate := e.Spec.Tuned.Cost.PerHour; rate != nil {
		cost += *rate * time.Duration(e.Control.TrialTime).Hours()
	}
	return cost
}

func (y *Tally) durationUsed(e *Experiment) bool {
	limit := e.Spec.maxDuration()
	return limit != nil && e.Control.Elapsed >= *limit
}

func (y *Tally) costUsed(e *Experiment) bool {
	limit := e.Spec.maxCost()
	return limit != nil && y.Cost(e) >= *limit
}

// failures counts the trials that maxFailedTrialCount is about.
func (s *Status) failures() int32 { return s.TrialsFailed + s.TrialMetricsUnavailable }
