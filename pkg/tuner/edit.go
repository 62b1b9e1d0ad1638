package tuner

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// edit returns the change that makes a stored experiment the wanted one: nil when they agree, an
// error wrapping store.ErrConflict when more than the counts differ.
func edit(stored, wanted *experiment.Experiment, now time.Time) (*store.Change, error) {
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
		return nil, fmt.Errorf("experiment %s exists with another spec: %w: %w; give it another name or delete the stored one",
			stored.Key(), faults, store.ErrConflict)
	}
	change.Spec = &wanted.Spec
	if stored.Status.Completed() {
		restarted := *stored
		restarted.Spec = wanted.Spec
		status, err := experiment.Restart(&restarted, now)
		if err != nil {
			return nil, fmt.Errorf("experiment %s: %w: %w", stored.Key(), err, store.ErrConflict)
		}
		change.Status = &status
	}
	return change, nil
}

// equal compares two values as they are stored, so that empty and absent are the same.
func equal(a, b any) bool {
	x, errX := asJSON(a)
	y, errY := asJSON(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func asJSON(v any) (out any, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal(text, &out)
}
