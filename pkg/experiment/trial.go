package experiment

import (
	"time"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Pair is one parameter's name and the text of its value.
type Pair = searchspace.Pair

// Trial is one evaluation of the objective at one assignment.
type Trial struct {
	Number     uint64                 `json:"number"` // counts from 1 in the experiment; the suggestion's ID
	Name       string                 `json:"name"`   // <experiment>-<8 characters>, a function of the experiment's UID and Number
	Attempt    int                    `json:"attempt"`
	Assignment searchspace.Assignment `json:"assignment"`
	Memo       []byte                 `json:"memo,omitempty"`      // the algorithm's, see algorithms.Suggestion
	Parent     uint64                 `json:"parent,omitempty"`    // number of the trial whose checkpoint it goes on from; 0: none
	Algorithm  string                 `json:"algorithm,omitempty"` // that suggested it, where the experiment's chooses among others
	Request    string                 `json:"request,omitempty"`   // of the client that asked for it; "" when the daemon runs it
	Wanted     int                    `json:"wanted,omitempty"`    // trials that Request asked for, with this one; 0: not known

	Origin   Origin `json:"origin,omitempty"`   // where the assignment comes from
	GivenAs  string `json:"givenAs,omitempty"`  // request that enqueued or told it
	Stopping bool   `json:"stopping,omitempty"` // somebody asked for its end, or a rule did
	Pruned   string `json:"pruned,omitempty"`   // the early-stopping rule that did, and why
	Results  int    `json:"results,omitempty"`  // measurements that came with the result that a client told
	Note     Note   `json:"note,omitzero"`      // may change when the trial is final, too

	Lost    int `json:"lost,omitempty"`    // attempts whose workload disappeared without a result
	Crashed int `json:"crashed,omitempty"` // attempts that failed by themselves and were followed by another

	State    TrialState `json:"state"`
	Reason   string     `json:"reason,omitempty"`   // CamelCase
	Message  string     `json:"message,omitempty"`  // for a person: what happened, the evidence, what to do
	FinishNo uint64     `json:"finishNo,omitempty"` // order of finishing in the experiment, from 1; 0 until final

	Observation Observation `json:"observation,omitzero"` // final once the state is

	Created  time.Time `json:"created"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
}

// Origin says where a trial's assignment comes from.
type Origin string

// The origins of a trial. Without one it was suggested by the algorithm.
const (
	FirstPoint Origin = "FirstPoint" // of spec.tuned.firstPoints
	Enqueued   Origin = "Enqueued"   // a person wanted it to be tried
	Told       Origin = "Told"       // it was evaluated elsewhere
)

// TrialState is a state of a trial. Its text is Katib's condition type.
type TrialState string

// The states of a trial. Pending is Katib's "Created".
const (
	TrialPending            TrialState = "Pending"
	TrialRunning            TrialState = "Running"
	TrialSucceeded          TrialState = "Succeeded"
	TrialKilled             TrialState = "Killed"
	TrialFailed             TrialState = "Failed"
	TrialMetricsUnavailable TrialState = "MetricsUnavailable"
	TrialEarlyStopped       TrialState = "EarlyStopped"
)

// Final reports whether a trial in this state never changes again.
func (s TrialState) Final() bool { return s != TrialPending && s != TrialRunning }

// Stream is one sequence of measurements: those of one source in one attempt of one trial.
// Sequence numbers count from 1 without gaps.
type Stream struct {
	Experiment Key
	Number     uint64 // of the trial
	Attempt    int
	Source     string // one of Sources
}

// Sources are where measurements come from: the agent beside the workload, or a client that tells
// the result.
var Sources = [...]string{"agent", "tell"}

// Measurement is one value of one metric.
type Measurement struct {
	Seq    uint64    `json:"seq"`
	Time   time.Time `json:"time"`           // as the source stated it, else when it was seen; year 1 when neither is known
	Step   int64     `json:"step,omitempty"` // the training program's own step or epoch; 0 when it gave none
	Metric string    `json:"metric"`
	Value  float64   `json:"-"`    // NaN when Text is no number or says nan
	Text   string    `json:"text"` // as written
}

// Observation is the summary of a trial's measurements per metric.
type Observation struct {
	Metrics []Metric `json:"metrics,omitempty"`
}

// Metric summarises one metric's values, as text as in Katib; "unavailable" when there is none.
type Metric struct {
	Name   string `json:"name"`
	Min    string `json:"min,omitempty"`
	Max    string `json:"max,omitempty"`
	Latest string `json:"latest,omitempty"`

	// Value is the value by the metric's strategy where a NaN that came first stands in Min and Max
	// although numbers followed; else "". Katib does not have it.
	Value string `json:"value,omitempty"`
}

// Event is something that happened to an experiment or one of its trials.
type Event struct {
	Time    time.Time `json:"time"`
	Trial   string    `json:"trial,omitempty"` // name; "" for the experiment itself
	Reason  string    `json:"reason"`          // CamelCase
	Message string    `json:"message"`
	Warning bool      `json:"warning,omitempty"`
}
