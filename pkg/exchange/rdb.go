package exchange

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// readSQLite reads a study of Optuna's RDBStorage from a SQLite file (optuna/storages/_rdb/models.py).
func readSQLite(r io.Reader, o *Options) (*Study, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o.File, err)
	}
	d, err := openDatabase(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o.File, err)
	}
	p := &rdb{database: d, studies: map[int]*study{}, trials: map[int]*frozen{}}
	if err := p.load(); err != nil {
		return nil, fmt.Errorf("read %s: %w", o.File, err)
	}
	chosen, err := p.choose(o.Study)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o.File, err)
	}
	return chosen.convert(o)
}

// rdb gathers the rows of Optuna's tables.
type rdb struct {
	*database
	replay
	studies map[int]*study
	trials  map[int]*frozen
}

// load reads the tables, each after those that its rows point at.
func (p *rdb) load() error {
	for _, t := range []struct {
		name string
		take func(row map[string]value) error
	}{
		{"studies", p.study},
		{"study_directions", p.direction},
		{"study_user_attributes", p.studyAttribute(opStudyUserAttr)},
		{"study_system_attributes", p.studyAttribute(opStudySystemAttr)},
		{"trials", p.trial},
		{"trial_params", p.param},
		{"trial_values", p.value},
		{"trial_intermediate_values", p.intermediate},
		{"trial_user_attributes", p.attribute(opTrialUserAttr)},
		{"trial_system_attributes", p.attribute(opTrialSystemAttr)},
	} {
		stored, ok := p.tables[t.name]
		if !ok {
			return fmt.Errorf("it is no storage of Optuna's: it has no table %s", t.name)
		}
		if err := p.rows(stored, t.take); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	return nil
}

func (p *rdb) study(row map[string]value) error {
	s := &study{name: row["study_name"].text}
	p.studies[int(row["study_id"].number)] = s
	p.replay.studies = append(p.replay.studies, s)
	return nil
}

func (p *rdb) direction(row map[string]value) error {
	s := p.studies[int(row["study_id"].number)]
	if s == nil {
		return nil // of a study that is no more
	}
	direction := directionMinimize
	if row["direction"].text == "MAXIMIZE" {
		direction = directionMaximize
	}
	objective := row["objective"].number
	if !(objective >= 0 && objective < 1000) {
		return fmt.Errorf("objective %v: %w", objective, errDamaged)
	}
	for len(s.directions) <= int(objective) {
		s.directions = append(s.directions, directionMinimize)
	}
	s.directions[int(objective)] = direction
	return nil
}

func (p *rdb) studyAttribute(op int) func(row map[string]value) error {
	return func(row map[string]value) error {
		s := p.studies[int(row["study_id"].number)]
		if s == nil {
			return nil
		}
		attr := map[string]json.RawMessage{row["key"].text: pythonJSON([]byte(row["value_json"].text))}
		return p.applyStudy(&record{Op: op, User: attr, System: attr}, s)
	}
}

// states are the names of Optuna's states, as it stores them.
var states = map[string]int{
	"RUNNING": stateRunning, "COMPLETE": stateComplete, "PRUNED": statePruned, "FAIL": stateFail, "WAITING": stateWaiting,
}

func (p *rdb) trial(row map[string]value) error {
	s := p.studies[int(row["study_id"].number)]
	if s == nil {
		return nil
	}
	state, known := states[row["state"].text]
	if !known {
		return fmt.Errorf("state %q is not known", row["state"].text)
	}
	t := &frozen{
		state: state, params: map[string]float64{}, distributions: map[string]string{}, curve: map[int64]float64{},
		start: row["datetime_start"].text, end: row["datetime_complete"].text,
	}
	s.trials = append(s.trials, t)
	p.trials[int(row["trial_id"].number)] = t
	return nil
}

func (p *rdb) param(row map[string]value) error {
	if t := p.trials[int(row["trial_id"].number)]; t != nil {
		t.param(row["param_name"].text, row["param_value"].number, row["distribution_json"].text)
	}
	return nil
}

func (p *rdb) value(row map[string]value) error {
	t, objective := p.trials[int(row["trial_id"].number)], row["objective"].number
	if t == nil {
		return nil
	}
	if !(objective >= 0 && objective < 1000) {
		return fmt.Errorf("objective %v: %w", objective, errDamaged)
	}
	for len(t.values) <= int(objective) {
		t.values = append(t.values, math.NaN())
	}
	t.values[int(objective)] = typed(row["value"], row["value_type"])
	return nil
}

func (p *rdb) intermediate(row map[string]value) error {
	if t := p.trials[int(row["trial_id"].number)]; t != nil {
		t.curve[int64(row["step"].number)] = typed(row["intermediate_value"], row["intermediate_value_type"])
	}
	return nil
}

// typed is a number with the type that says what SQL has no number for.
func typed(v, kind value) float64 {
	switch {
	case kind.text == "INF_POS":
		return math.Inf(1)
	case kind.text == "INF_NEG":
		return math.Inf(-1)
	case v.null:
		return math.NaN()
	}
	return v.number
}

func (p *rdb) attribute(op int) func(row map[string]value) error {
	return func(row map[string]value) error {
		if t := p.trials[int(row["trial_id"].number)]; t != nil {
			attr := map[string]json.RawMessage{row["key"].text: pythonJSON([]byte(row["value_json"].text))}
			t.apply(&record{Op: op, User: attr, System: attr})
		}
		return nil
	}
}
