package badger

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// fullTrial has a value in each field that is stored with the trial.
func fullTrial() experiment.Trial {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	return experiment.Trial{
		Number: 7, Name: "e-hv9zjll9", Attempt: 2,
		Assignment: searchspace.Assignment{{Name: "lr", Value: "0.1"}, {Name: "layers", Value: "3"}},
		Memo:       []byte{0, 255}, Parent: 3, Algorithm: "gp", Request: "r", Wanted: 2, Origin: experiment.Enqueued, GivenAs: "g", Stopping: true,
		Pruned: "median: 0.5 > 0.4", Results: 4, Lost: 1, Crashed: 2, State: experiment.TrialFailed, Reason: "ExitCode", Message: "exit code 1\n<käse>",
		FinishNo: 6,
		Observation: experiment.Observation{Metrics: []experiment.Metric{
			{Name: "loss", Min: "0.1", Max: "0.3", Latest: "0.1", Value: "0.2"}, {Name: "acc", Min: "1", Max: "1", Latest: "1"}, {Name: "odd", Min: `a\n`, Max: "a\n"}, {Name: "none"},
		}},
		Created: at, Started: at.In(time.FixedZone("", 3600)), Finished: at.Add(time.Hour),
	}
}

func textOf(t testing.TB, trial *experiment.Trial) string {
	t.Helper()
	text, err := json.Marshal(trial)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What the store writes is read without encoding/json, and as that would read it. A field that is new in
// experiment.Trial must be read, too.
func TestTrialReader(t *testing.T) {
	full := fullTrial()
	for field, value := range reflect.ValueOf(full).Fields() {
		if value.IsZero() && field.Name != "Note" {
			t.Errorf("%s is not tried", field.Name)
		}
	}
	tests := map[string]experiment.Trial{
		"full": full, "zero": {}, "empty lists": {Assignment: searchspace.Assignment{}},
		"pending": {Number: 1, Name: "e-1", Attempt: 1, State: experiment.TrialPending, Assignment: full.Assignment, Created: full.Created},
	}
	var r trialReader // is used again
	for name, trial := range tests {
		text := textOf(t, &trial)
		var got, want experiment.Trial
		r.rest, r.strange = []byte(text), false
		r.trial(&got)
		declined := r.strange || len(r.rest) > 0
		if wrong := declined != (trial.Assignment == nil); wrong { // which the daemon never stores
			t.Errorf("%s: left to encoding/json: %t, at %q of %s", name, declined, r.rest, text)
		}
		if err := r.read([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s: got (-), want (+):\n%s", name, diff)
		}
	}
}

// Any text is read as encoding/json reads it, or refused as that refuses it: one piece is put in at each place, or
// in place of what is there.
func TestTrialReaderAgrees(t *testing.T) {
	full := fullTrial()
	whole := textOf(t, &full)
	for _, piece := range []string{
		`"`, `\`, `\"`, "\n", "\xff", "{", "]", ",", "-", "0", "1.5", "18446744073709551616", `,"note":{"text":"a"}`, "",
	} {
		for at := range whole {
			agrees(t, whole[:at]+piece+whole[at:])
			agrees(t, whole[:at]+piece+whole[at+1:])
		}
	}
}

// What is read does not change when the reader goes on.
func TestTrialReaderAgain(t *testing.T) {
	first, second := fullTrial(), fullTrial()
	second.Assignment, second.Memo = searchspace.Assignment{{Name: "a", Value: "b"}}, []byte{1}
	second.Observation = experiment.Observation{Metrics: []experiment.Metric{{Name: "m", Min: "5"}}}
	var r trialReader
	var got [2]experiment.Trial
	for i, trial := range []experiment.Trial{first, second} {
		if err := r.read([]byte(textOf(t, &trial)), &got[i]); err != nil || r.strange {
			t.Errorf("trial %d: %v, left to encoding/json: %t", i+1, err, r.strange)
		}
	}
	if diff := cmp.Diff(got, [2]experiment.Trial{first, second}); diff != "" {
		t.Errorf("got (-), want (+):\n%s", diff)
	}
}

// FuzzTrialText looks for texts that are read otherwise than encoding/json reads them.
func FuzzTrialText(f *testing.F) {
	full := fullTrial()
	f.Add(textOf(f, &full))
	f.Add(strings.ReplaceAll(textOf(f, &full), `,`, ` ,`))
	f.Fuzz(func(t *testing.T, text string) { agrees(t, text) })
}

func agrees(t *testing.T, text string) {
	t.Helper()
	var r trialReader
	var got, want experiment.Trial
	err, wrong := r.read([]byte(text), &got), json.Unmarshal([]byte(text), &want)
	if (err == nil) != (wrong == nil) {
		t.Errorf("%q: got error %v, want %v", text, err, wrong)
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		t.Errorf("%q: got (-), want (+):\n%s", text, cmp.Diff(got, want))
	}
}
