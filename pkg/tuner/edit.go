package tuner

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// edit returns the change that makes a stored experiment the wanted one: nil when they agree, an
// error wrapping store.ErrConflict when what its trials mean differs. Counts may be edited; where
// and with which stand-ins the trials run may differ from one run to the next.
func edit(stored, wanted *experiment.Experiment, now time.Time) (*store.Change, error) {
	if other := otherwise(stored, wanted); len(other) > 0 {
		return nil, fmt.Errorf("experiment %s exists and is not the same: %s; give it another name or delete the stored one: %w",
			stored.Key(), strings.Join(other, "; "), store.ErrConflict)
	}
	change := &store.Change{Revision: stored.Revision}
	if !equal(stored.Local, wanted.Local) {
		change.Local = &wanted.Local
	}
	if equal(stored.Spec, wanted.Spec) {
		if change.Local == nil {
			return nil, nil
		}
		return change, nil
	}
	if faults := experiment.ValidateUpdate(wanted, stored, experiment.Options{}); len(faults) > 0 {
		return nil, fmt.Errorf("edit experiment %s: %w: %w", stored.Key(), faults, store.ErrConflict)
	}
	change.Spec = &wanted.Spec
	if stored.Status.Completed() {
		restarted := *stored
		restarted.Spec = wanted.Spec
		status, err := experiment.Restart(&restarted, now)
		if err != nil {
			return nil, fmt.Errorf("edit experiment %s: %w: %w", stored.Key(), err, store.ErrConflict)
		}
		change.Status = &status
	}
	return change, nil
}

// otherwise says what differs of that which must not, the counts apart.
func otherwise(stored, wanted *experiment.Experiment) []string {
	a, b := stored.Spec, wanted.Spec
	b.ParallelTrialCount, b.MaxTrialCount, b.MaxFailedTrialCount = a.ParallelTrialCount, a.MaxTrialCount, a.MaxFailedTrialCount
	out := differences("spec", a, b)
	if stored.Status.Trials > 0 {
		out = append(out, differences("local", program(stored), program(wanted))...)
	}
	return out
}

// program is the part of how trials run locally that decides what they measure.
func program(e *experiment.Experiment) experiment.Local {
	return experiment.Local{Command: e.Local.Command, Template: e.Local.Template}
}

// differences lists the fields in which two values differ as they are stored.
func differences(path string, a, b any) []string {
	x, errX := asJSON(a)
	y, errY := asJSON(b)
	if errX != nil || errY != nil {
		return []string{path + " cannot be compared"}
	}
	return compare(path, x, y)
}

func compare(path string, a, b any) (out []string) {
	if reflect.DeepEqual(a, b) {
		return nil
	}
	x, isX := a.(map[string]any)
	y, isY := b.(map[string]any)
	if isX && isY {
		fields := maps.Clone(x)
		maps.Copy(fields, y)
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			out = append(out, compare(path+"."+name, x[name], y[name])...)
		}
		return out
	}
	v, isV := a.([]any)
	w, isW := b.([]any)
	if isV && isW && len(v) == len(w) {
		for i := range v {
			out = append(out, compare(fmt.Sprintf("%s[%d]", path, i), v[i], w[i])...)
		}
		return out
	}
	return []string{fmt.Sprintf("%s was %s, now %s", path, short(a), short(b))}
}

// short is a value as text, cut where it gets long.
func short(v any) string {
	if v == nil {
		return "absent"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if len(text) > 60 {
		return string([]rune(string(text))[:50]) + "..."
	}
	return string(text)
}

// equal compares two values as they are stored, so that empty and absent are the same.
func equal(a, b any) bool { return len(differences("", a, b)) == 0 }

func asJSON(v any) (out any, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal(text, &out)
}
