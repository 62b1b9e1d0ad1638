package exchange

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// replay is what the records of a journal add up to.
type replay struct {
	studies []*study
	trials  []*frozen // by Optuna's id
	line    int
}

// study is one of Optuna's, of which a journal may hold several.
type study struct {
	name       string
	directions []int
	metrics    []string
	trials     []*frozen
	ours       bool // tuned export wrote it
	deleted    bool
}

// frozen is a trial of Optuna's.
type frozen struct {
	line          int // of the record that created it
	state         int
	values        []float64
	names         []string           // of the parameters, in their order
	params        map[string]float64 // inner form
	distributions map[string]string
	curve         map[int64]float64
	user, system  map[string]json.RawMessage
	start, end    string
}

// record is any record of a journal.
type record struct {
	Op           int                        `json:"op_code"`
	Study        int                        `json:"study_id"`
	Trial        int                        `json:"trial_id"`
	Name         string                     `json:"study_name"`
	Directions   []int                      `json:"directions"`
	User         map[string]json.RawMessage `json:"user_attr"`
	System       map[string]json.RawMessage `json:"system_attr"`
	Start        *string                    `json:"datetime_start"`
	End          *string                    `json:"datetime_complete"`
	State        *int                       `json:"state"`
	Value        *number                    `json:"value"`
	Values       []number                   `json:"values"`
	Param        string                     `json:"param_name"`
	Inner        number                     `json:"param_value_internal"`
	Distribution string                     `json:"distribution"`
	Step         int64                      `json:"step"`
	Intermediate number                     `json:"intermediate_value"`

	Distributions map[string]string          `json:"distributions"`
	Params        members                    `json:"params"`
	UserAttrs     map[string]json.RawMessage `json:"user_attrs"`
	SystemAttrs   map[string]json.RawMessage `json:"system_attrs"`
	Curve         map[string]number          `json:"intermediate_values"`
}

// number is one that Python wrote: NaN and Infinity are numbers there. What is null is NaN.
type number float64

// UnmarshalJSON reads the number.
func (n *number) UnmarshalJSON(text []byte) error {
	word := strings.Trim(string(text), `"`)
	if word == "null" {
		word = "NaN"
	}
	v, err := strconv.ParseFloat(word, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is no number", text)
	}
	*n = number(v)
	return nil
}

// pythonJSON puts the words that Python's JSON has beside Go's in quotes: NaN, Infinity, -Infinity.
func pythonJSON(line []byte) []byte {
	if !bytes.Contains(line, []byte("NaN")) && !bytes.Contains(line, []byte("Infinity")) {
		return line
	}
	var out []byte
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case quoted && line[i] == '\\' && i+1 < len(line):
			out = append(out, line[i])
			i++
		case line[i] == '"':
			quoted = !quoted
		case !quoted:
			if word := constant(line[i:]); word != "" {
				out = append(append(append(out, '"'), word...), '"')
				i += len(word) - 1
				continue
			}
		}
		out = append(out, line[i])
	}
	return out
}

func constant(text []byte) string {
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(text, []byte(word)) {
			return word
		}
	}
	return ""
}

// longestRecord bounds a line; Optuna itself has no bound.
const longestRecord = 64 << 20

// readJournal reads the file of Optuna's JournalFileBackend. A last line that is cut off is left out, as
// Optuna does, and a note says so.
func readJournal(r io.Reader, o *Options) (*Study, error) {
	p := &replay{}
	cut, err := p.play(r, o.File)
	if err != nil {
		return nil, err
	}
	chosen, err := p.choose(o.Study)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o.File, err)
	}
	s, err := chosen.convert(o)
	if err == nil && cut {
		s.Notes = slices.Insert(s.Notes, 0, fmt.Sprintf("the journal ends in the middle of line %d: what stands there is left out, and later lines may be missing", p.line))
	}
	return s, err
}

// play applies the records of a file, and reports whether the last one is cut off.
func (p *replay) play(r io.Reader, file string) (cut bool, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), longestRecord)
	var broken error
	for lines.Scan() {
		p.line++
		if broken != nil {
			return false, broken
		}
		var rec record
		if err := json.Unmarshal(pythonJSON(lines.Bytes()), &rec); err != nil {
			broken = experiment.Faults{{File: file, Line: p.line, Column: 1, Detail: "it is no record of Optuna's journal: " + err.Error()}}
			continue
		}
		if err := p.apply(&rec); err != nil {
			return false, experiment.Faults{{File: file, Line: p.line, Column: 1, Detail: err.Error()}}
		}
	}
	if err := lines.Err(); err != nil {
		return false, fmt.Errorf("read %s: line %d: %w", file, p.line+1, err)
	}
	if broken != nil && p.line == 1 {
		return false, broken
	}
	return broken != nil, nil
}

// choose returns the study of a name, or the only one.
func (p *replay) choose(name string) (*study, error) {
	var names []string
	for _, s := range p.studies {
		if s.deleted {
			continue
		}
		if s.name == name {
			return s, nil
		}
		names = append(names, s.name)
	}
	switch {
	case len(names) == 0:
		return nil, errors.New("it holds no study")
	case name != "":
		return nil, fmt.Errorf("it holds no study %q; there are %q", name, names)
	case len(names) > 1:
		return nil, fmt.Errorf("it holds %d studies: name one with --study, of %q", len(names), names)
	}
	return p.studies[slices.IndexFunc(p.studies, func(s *study) bool { return !s.deleted })], nil
}

// apply takes in one record, as JournalStorageReplayResult does.
func (p *replay) apply(r *record) error {
	switch r.Op {
	case opCreateStudy:
		if !slices.ContainsFunc(p.studies, func(s *study) bool { return s.name == r.Name && !s.deleted }) {
			p.studies = append(p.studies, &study{name: r.Name, directions: r.Directions})
		}
		return nil
	case opDeleteStudy, opStudyUserAttr, opStudySystemAttr, opCreateTrial:
		if r.Study < 0 || r.Study >= len(p.studies) || p.studies[r.Study].deleted {
			return nil // as Optuna does
		}
		return p.applyStudy(r, p.studies[r.Study])
	case opTrialParam, opTrialState, opTrialIntermediate, opTrialUserAttr, opTrialSystemAttr:
		if r.Trial < 0 || r.Trial >= len(p.trials) || p.trials[r.Trial].finished() {
			return nil
		}
		p.trials[r.Trial].apply(r)
		return nil
	case opDiscardTrials:
		return nil
	}
	return fmt.Errorf("op_code %d is not known", r.Op)
}

func (p *replay) applyStudy(r *record, s *study) error {
	switch r.Op {
	case opDeleteStudy:
		s.deleted = true
	case opStudyUserAttr:
		_, ours := r.User[attrExperiment]
		s.ours = s.ours || ours
	case opStudySystemAttr:
		if text, ok := r.System[attrMetricNames]; ok {
			if err := json.Unmarshal(text, &s.metrics); err != nil {
				return fmt.Errorf("%s: %w", attrMetricNames, err)
			}
		}
	case opCreateTrial:
		t, err := p.created(r)
		if err != nil {
			return err
		}
		s.trials, p.trials = append(s.trials, t), append(p.trials, t)
	}
	return nil
}

func (p *replay) created(r *record) (*frozen, error) {
	t := &frozen{
		line: p.line, params: map[string]float64{}, distributions: map[string]string{}, curve: map[int64]float64{},
		user: maps.Clone(r.UserAttrs), system: maps.Clone(r.SystemAttrs), start: text(r.Start), end: text(r.End),
	}
	if r.State != nil {
		t.state = *r.State
	}
	t.values = numbers(r.Values)
	if r.Value != nil && t.values == nil {
		t.values = []float64{float64(*r.Value)}
	}
	for _, p := range r.Params {
		var inner number
		if err := inner.UnmarshalJSON(p.value); err != nil {
			return nil, fmt.Errorf("params: %s: %w", p.name, err)
		}
		t.param(p.name, float64(inner), r.Distributions[p.name])
	}
	for step, v := range r.Curve {
		n, err := strconv.ParseInt(step, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("intermediate_values: %q is no step", step)
		}
		t.curve[n] = float64(v)
	}
	return t, nil
}

func (t *frozen) finished() bool {
	return t.state == stateComplete || t.state == statePruned || t.state == stateFail
}

func (t *frozen) param(name string, inner float64, distribution string) {
	if _, known := t.params[name]; !known {
		t.names = append(t.names, name)
	}
	t.params[name], t.distributions[name] = inner, distribution
}

func (t *frozen) apply(r *record) {
	switch r.Op {
	case opTrialParam:
		t.param(r.Param, float64(r.Inner), r.Distribution)
	case opTrialState:
		if r.State != nil {
			t.state = *r.State
		}
		if r.Values != nil {
			t.values = numbers(r.Values)
		}
		if r.Start != nil {
			t.start = *r.Start
		}
		if r.End != nil {
			t.end = *r.End
		}
	case opTrialIntermediate:
		t.curve[r.Step] = float64(r.Intermediate)
	case opTrialUserAttr:
		t.user = merged(t.user, r.User)
	case opTrialSystemAttr:
		t.system = merged(t.system, r.System)
	}
}

func merged(a, b map[string]json.RawMessage) map[string]json.RawMessage {
	if a == nil {
		a = map[string]json.RawMessage{}
	}
	maps.Copy(a, b)
	return a
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func numbers(list []number) []float64 {
	if list == nil {
		return nil
	}
	out := make([]float64, len(list))
	for i, n := range list {
		out[i] = float64(n)
	}
	return out
}

// measured is the curve as measurements of a metric.
func (t *frozen) measured(metric string, start time.Time) []experiment.Measurement {
	var out []experiment.Measurement
	for _, step := range slices.Sorted(maps.Keys(t.curve)) {
		v := t.curve[step]
		out = append(out, experiment.Measurement{
			Seq: uint64(len(out)) + 1, Time: start, Step: step, Metric: metric, Value: v, Text: exact(v),
		})
	}
	return out
}
