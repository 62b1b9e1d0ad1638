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
	control, s := stored.Control, &stored.Status
	control.TrialsThen, control.ActiveThen = s.Trials, s.TrialsPending+s.TrialsRunning
	change.Control = &control
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

// compare lists the fields in which two values differ as JSON has them.
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
	if isV && isW {
		return compareLists(path, v, w)
	}
	was, is := shortened(a, b)
	return []string{fmt.Sprintf("%s was %s, now %s", path, was, is)}
}

// compareLists lists the elements in which two lists differ, of lists of different lengths the first alone:
// all that follow an element which was put in or left out have moved.
func compareLists(path string, a, b []any) (out []string) {
	at := func(list []any, i int) any {
		if i < len(list) {
			return list[i]
		}
		return nil
	}
	for i := range max(len(a), len(b)) {
		out = append(out, compare(fmt.Sprintf("%s[%d]", path, i), at(a, i), at(b, i))...)
		if len(out) > 0 && len(a) != len(b) {
			return out
		}
	}
	return out
}

// Lengths in runes of a value that is written whole, of the part of a longer one, and of what is kept of it
// before the first difference.
const (
	wholeValue = 60
	partValue  = 50
	beforePart = 15
)

// shortened are two values as text, where they get long the part of each around the first difference.
func shortened(a, b any) (was, is string) {
	x, y := []rune(asText(a)), []rune(asText(b))
	same := 0
	for same < min(len(x), len(y)) && x[same] == y[same] {
		same++
	}
	return around(x, same), around(y, same)
}

// around cuts a long text down to what is around a place in it.
func around(text []rune, place int) string {
	if len(text) <= wholeValue {
		return string(text)
	}
	begin := max(0, min(place-beforePart, len(text)-partValue))
	end := min(begin+partValue, len(text))
	before, after := "", ""
	if begin > 0 {
		before = "..."
	}
	if end < len(text) {
		after = "..."
	}
	return before + string(text[begin:end]) + after
}

// asText is a value as a person reads it.
func asText(v any) string {
	if v == nil {
		return "absent"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// equal compares two values as they are stored, so that empty and absent are the same.
func equal(a, b any) bool { return len(differences("", a, b)) == 0 }

// asJSON is a value as JSON has it: maps, lists, texts and numbers.
func asJSON(v any) (out any, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal(text, &out)
}
