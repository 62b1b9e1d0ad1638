package main

import (
	"encoding/json"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// number is a value in JSON: null when it is NaN or infinite, which JSON cannot say.
type number float64

// MarshalJSON writes the number.
func (n number) MarshalJSON() ([]byte, error) { //nolint:unparam // the interface has an error
	if !finite(float64(n)) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(n), 'g', -1, 64), nil
}

var notANumber = number(math.NaN())

// progressEvent is the JSON line of a change.
type progressEvent struct {
	Event      string                   `json:"event"` // "progress"
	Experiment string                   `json:"experiment"`
	State      experiment.ConditionType `json:"state"`
	Budget     int                      `json:"budget"` // 0 means unlimited
	Done       int                      `json:"done"`
	Running    int                      `json:"running"`
	Failed     int                      `json:"failed"`
	BestTrial  string                   `json:"bestTrial"`
	BestValue  number                   `json:"bestValue"`
	Front      int                      `json:"front,omitempty"` // trials on it, with several objectives
	Infeasible int                      `json:"infeasible,omitempty"`
	Elapsed    number                   `json:"elapsedSeconds"`
	ETA        *number                  `json:"etaSeconds"` // null when not known
}

// lines prints one JSON object per line and event.
type lines struct {
	out  io.Writer
	seen int
	last progressEvent
}

func (v *lines) begin(p progress) {
	v.seen = p.Done
	v.change(p)
}

func (v *lines) change(p progress) {
	for i := v.seen; i < p.Done; i++ {
		r := newTrialRecord(p.Key, &p.Finished[i], p.Spec)
		r.Event = "trial"
		writeJSON(v.out, r)
	}
	v.seen = p.Done
	e := progressEvent{
		Event: "progress", Experiment: p.Key.String(), State: p.State, Budget: p.Budget,
		Done: p.Done, Running: p.Running, Failed: p.Failed, BestValue: number(p.BestValue),
		Front: p.Front, Infeasible: p.Infeasible,
	}
	if p.Best == nil {
		e.BestValue = 0 // comparable; written as null below
	} else {
		e.BestTrial = p.Best.Name
	}
	if e == v.last {
		return
	}
	v.last = e
	e.BestValue = number(p.BestValue)
	e.Elapsed = seconds(p.Elapsed)
	if p.ETAKnown {
		left := seconds(p.ETA)
		e.ETA = &left
	}
	writeJSON(v.out, e)
}

func (v *lines) end() {}

// seconds has milliseconds as its last digit.
func seconds(d time.Duration) number {
	return number(float64(d.Round(time.Millisecond).Milliseconds()) / 1000)
}

func writeJSON(w io.Writer, v any) {
	_ = json.NewEncoder(w).Encode(v) // a reader that went away is no reason to stop tuning
}
