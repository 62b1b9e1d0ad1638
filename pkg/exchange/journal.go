package exchange

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Operations of Optuna's journal (optuna/storages/journal/_storage.py, JournalOperation).
const (
	opCreateStudy = iota
	opDeleteStudy
	opStudyUserAttr
	opStudySystemAttr
	opCreateTrial
	opTrialParam
	opTrialState
	opTrialIntermediate
	opTrialUserAttr
	opTrialSystemAttr
	opDiscardTrials
)

// States of a trial in Optuna (optuna/trial/_state.py, TrialState).
const (
	stateRunning = iota
	stateComplete
	statePruned
	stateFail
	stateWaiting
)

// Directions of an objective in Optuna.
const (
	directionMinimize = 1
	directionMaximize = 2
)

// Attributes with a meaning: Optuna's own, and ours beside them.
const (
	attrMetricNames = "study:metric_names"
	attrConstraints = "constraints" // of a trial: at most 0 where one is kept
	attrExperiment  = "tuned:experiment"
	attrName        = "tuned:name"
	attrState       = "tuned:state"
	attrReason      = "tuned:reason"
	attrMessage     = "tuned:message"
	attrMetrics     = "tuned:metrics"
	attrParent      = "tuned:parent" // as Optuna numbers it
	attrAlgorithm   = "tuned:algorithm"
)

// workerID is who wrote a record; Optuna makes a new one for each process.
const workerID = "tuned"

// createTrial is the record of a trial that is written as a whole.
type createTrial struct {
	Op            int            `json:"op_code"`
	Worker        string         `json:"worker_id"`
	Study         int            `json:"study_id"`
	Start         *string        `json:"datetime_start"`
	Complete      *string        `json:"datetime_complete,omitempty"`
	State         int            `json:"state"`
	Value         *float64       `json:"value"`
	Values        []float64      `json:"values"`
	Distributions members        `json:"distributions"`
	Params        members        `json:"params"` // Optuna's inner form: a choice is its index
	UserAttrs     map[string]any `json:"user_attrs"`
	SystemAttrs   map[string]any `json:"system_attrs"`
}

// writeJournal writes the file of Optuna's JournalFileBackend. A trial that Optuna could take for the
// best, though it is not ours, is one that failed there: its value is not finite or missing. Constraints
// are Optuna's too. Distributions that Optuna does not have become the nearest: normal is uniform, a
// logarithmic grid has no step, a list of numbers is a list of choices.
func writeJournal(w io.Writer, s *Study) error {
	j := journal{Study: s, out: bufio.NewWriter(w)}
	var err error
	if j.distributions, err = distributions(&s.Experiment.Spec); err != nil {
		return err
	}
	spec := &s.Experiment.Spec
	var directions []int
	var names []string
	for _, o := range spec.Objectives() {
		direction := directionMinimize
		if o.Type == "maximize" {
			direction = directionMaximize
		}
		directions, names = append(directions, direction), append(names, o.MetricName)
	}
	head := func(op int) map[string]any { return map[string]any{"op_code": op, "worker_id": workerID} }
	study := head(opCreateStudy)
	study["study_name"], study["directions"] = s.Experiment.Metadata.Name, directions
	j.line(study)
	metrics := head(opStudySystemAttr)
	metrics["study_id"], metrics["system_attr"] = 0, map[string]any{attrMetricNames: names}
	j.line(metrics)
	origin := head(opStudyUserAttr)
	origin["study_id"], origin["user_attr"] = 0, map[string]any{attrExperiment: s.Experiment.Key().String()}
	j.line(origin)
	for i := 0; i < len(s.Trials) && j.err == nil; i++ {
		j.trial(&s.Trials[i])
	}
	if j.err != nil {
		return j.err
	}
	return j.out.Flush()
}

// journal writes records until the first error.
type journal struct {
	*Study
	out           *bufio.Writer
	err           error
	distributions map[string]distribution
}

func (j *journal) line(record any) { j.write(record, "") }

// write writes a record as one line, with further text before its last brace.
func (j *journal) write(record any, more string) {
	text, err := json.Marshal(record)
	if err == nil && j.err == nil {
		_, err = j.out.WriteString(strings.TrimSuffix(string(text), "}") + more + "}\n")
	}
	if j.err == nil {
		j.err = err
	}
}

func (j *journal) trial(t *experiment.Trial) {
	spec := &j.Experiment.Spec
	c := createTrial{
		Op: opCreateTrial, Worker: workerID, Distributions: members{}, Params: members{},
		UserAttrs: j.userAttrs(t), SystemAttrs: map[string]any{},
	}
	for _, p := range t.Assignment {
		d, ok := j.distributions[p.Name]
		inner, err := d.inner(p.Value)
		if !ok || err != nil {
			j.err = fmt.Errorf("trial %s: parameter %q: %q is not of the search space", t.Name, p.Name, p.Value)
			return
		}
		c.Distributions, c.Params = append(c.Distributions, member{p.Name, d.text}), append(c.Params, member{p.Name, inner})
	}
	var values []float64
	c.State, values = j.state(t)
	if len(values) == 1 {
		c.Value = &values[0]
	} else {
		c.Values = values
	}
	if t.State != experiment.TrialPending {
		c.Start = new(pythonTime(later(t.Created, t.Started)))
	}
	if t.State.Final() {
		c.Complete = new(pythonTime(later(later(t.Created, t.Started), t.Finished)))
	}
	if excess := spec.Excess(spec.ValueOf(t)); len(excess) > 0 && (c.State == stateComplete || c.State == statePruned || t.State == experiment.TrialSucceeded) {
		c.SystemAttrs[attrConstraints] = pythonNumbers(excess)
	}
	curve, err := j.curve(t)
	if err != nil {
		j.err = err
		return
	}
	j.write(c, `,"intermediate_values":`+curveText(curve))
}

// state returns Optuna's state and values of a trial.
func (j *journal) state(t *experiment.Trial) (state int, values []float64) {
	spec := &j.Experiment.Spec
	for _, o := range spec.Objectives() {
		if v, ok := j.metric(t, o.MetricName); ok && finite(v) != nil {
			values = append(values, v)
		}
	}
	if len(values) < len(spec.Objectives()) {
		values = nil
	}
	switch t.State {
	case experiment.TrialPending:
		return stateWaiting, nil
	case experiment.TrialRunning:
		return stateRunning, nil
	case experiment.TrialEarlyStopped:
		return statePruned, values
	case experiment.TrialSucceeded:
		if values != nil {
			return stateComplete, values
		}
	}
	return stateFail, nil
}

func (j *journal) userAttrs(t *experiment.Trial) map[string]any {
	attrs := map[string]any{attrName: t.Name, attrState: t.State}
	if t.Reason != "" {
		attrs[attrReason] = t.Reason
	}
	if t.Message != "" {
		attrs[attrMessage] = t.Message
	}
	if t.Parent > 0 {
		attrs[attrParent] = t.Parent - 1
	}
	if t.Algorithm != "" {
		attrs[attrAlgorithm] = t.Algorithm
	}
	metrics := map[string]string{}
	for _, name := range j.metrics() {
		if text := j.metricText(t, name); text != "" {
			metrics[name] = text
		}
	}
	if len(metrics) > 0 {
		attrs[attrMetrics] = metrics
	}
	return attrs
}

// curve returns the values of the objective by step; the place of each where the program gave no step.
// Optuna knows curves of one objective alone.
func (j *journal) curve(t *experiment.Trial) (map[int64]float64, error) {
	if len(j.Experiment.Spec.Objectives()) > 1 {
		return nil, nil
	}
	measured, err := j.measured(t)
	if err != nil {
		return nil, err
	}
	of := j.Experiment.Spec.Objective.ObjectiveMetricName
	var points []experiment.Measurement
	stepped := false
	for _, m := range measured {
		if m.Metric == of {
			points = append(points, m)
			stepped = stepped || m.Step != 0
		}
	}
	curve := map[int64]float64{}
	for i, m := range points {
		step := m.Step
		if !stepped {
			step = int64(i)
		}
		if step >= 0 {
			curve[step] = m.Value
		}
	}
	return curve, nil
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// pythonTime is a time as datetime.fromisoformat of every Python 3 reads it.
func pythonTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }

// pythonNumbers writes numbers for Python's JSON reader; what is not known counts as out of bounds.
func pythonNumbers(values []float64) json.RawMessage {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = pythonNumber(v)
		if math.IsNaN(v) {
			words[i] = pythonNumber(math.Inf(1))
		}
	}
	return json.RawMessage("[" + strings.Join(words, ",") + "]")
}

// pythonNumber writes a number, an infinity as a number that float64 does not hold.
func pythonNumber(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "1e999"
	case math.IsInf(v, -1):
		return "-1e999"
	case math.IsNaN(v):
		return "NaN"
	}
	return exact(v)
}

// curveText writes intermediate values, among which Python's JSON has NaN, which Go's has not.
func curveText(curve map[int64]float64) string {
	words := make([]string, 0, len(curve))
	for _, step := range slices.Sorted(maps.Keys(curve)) {
		words = append(words, fmt.Sprintf("%q:%s", strconv.FormatInt(step, 10), pythonNumber(curve[step])))
	}
	return "{" + strings.Join(words, ",") + "}"
}
