package exchange

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// sound asserts that what was read is whole: every format can write it, and JSON gives it back.
func sound(t *testing.T, s *Study, err error) {
	t.Helper()
	if err != nil {
		if faults := experiment.Faults(nil); errors.As(err, &faults) && len(faults) == 0 {
			t.Fatal("an error without a fault")
		}
		return
	}
	space, err := s.Experiment.Spec.Space()
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Trials {
		trial := &s.Trials[i]
		if _, err := space.Parse(trial.Assignment); err != nil || !trial.State.Final() || trial.Number != uint64(i)+1 || trial.FinishNo == 0 {
			t.Fatalf("trial %+v: %v", trial, err)
		}
	}
	for _, format := range Formats {
		written(t, format, s)
	}
	again := reread(t, JSON, written(t, JSON, s), Options{})
	if diff := cmp.Diff(briefs(again), briefs(s)); diff != "" {
		t.Fatalf("JSON gives back (-got +want):\n%s", diff)
	}
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("lr,opt,acc,state\n0.1,sgd,1,finished\n1e-5,\"a\nb\",nan,\n"), true)
	f.Add([]byte("number;params.lr;metrics.acc\n0;'=x;3\n1;;inf\n"), false)
	f.Add(written(f, CSV, mixed(f)), false)
	spec := &mixed(f).Experiment.Spec
	f.Fuzz(func(t *testing.T, text []byte, guess bool) {
		o := Options{File: "f", Name: "n", Namespace: "d", Spec: spec}
		if guess {
			o.Spec, o.Objectives, o.Parameters = nil, []experiment.FurtherObjective{{MetricName: "acc", Type: "maximize"}}, []string{"lr", "opt"}
		}
		s, err := Read(bytes.NewReader(text), CSV, o)
		sound(t, s, err)
	})
}

func FuzzJournal(f *testing.F) {
	f.Add(written(f, Journal, mixed(f)))
	f.Add([]byte(`{"op_code":0,"study_name":"s","directions":[1]}
{"op_code":4,"study_id":0,"datetime_start":"2026-01-01T00:00:00"}
{"op_code":5,"trial_id":0,"param_name":"x","param_value_internal":1.0,"distribution":"{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [1, null]}}"}
{"op_code":7,"trial_id":0,"step":1,"intermediate_value":NaN}
{"op_code":6,"trial_id":0,"state":1,"values":[Infinity],"datetime_complete":"2026-01-01T00:00:01"}
`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Read(bytes.NewReader(text), Journal, Options{File: "f", Name: "n", Namespace: "d"})
		sound(t, s, err)
	})
}

// FuzzSQLite has a study with pages of 512 bytes in its corpus, so that a row overflows.
func FuzzSQLite(f *testing.F) {
	f.Add([]byte("SQLite format 3\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Read(bytes.NewReader(text), SQLite, Options{File: "f", Name: "n", Namespace: "d"})
		sound(t, s, err)
	})
}

func FuzzJSON(f *testing.F) {
	f.Add(written(f, JSON, mixed(f)))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Read(bytes.NewReader(text), JSON, Options{File: "f", Name: "n", Namespace: "d"})
		sound(t, s, err)
	})
}

// FuzzGuard is about texts of one line; encoding/csv itself makes \n of \r\n.
func FuzzGuard(f *testing.F) {
	f.Add("'=1")
	f.Fuzz(func(t *testing.T, text string) {
		cell := Guarded(text)
		if plain(cell) != text {
			t.Errorf("%q: %q gives back %q", text, cell, plain(cell))
		}
		if cell != "" && strings.ContainsRune("=@\t\r", rune(cell[0])) {
			t.Errorf("%q: %q is a formula", text, cell)
		}
	})
}

func FuzzPythonJSON(f *testing.F) {
	f.Add([]byte(`{"a":NaN,"b":"NaN \" Infinity","c":[-Infinity,Infinity]}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		_ = pythonJSON(text)
	})
}

func TestPythonJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":NaN,"b":"NaN \" Infinity","c":[-Infinity,Infinity]}`: `{"a":"NaN","b":"NaN \" Infinity","c":["-Infinity","Infinity"]}`,
		`{"a":1}`:  `{"a":1}`,
		`"\\" NaN`: `"\\" "NaN"`,
	} {
		if got := string(pythonJSON([]byte(in))); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	var n number
	if err := n.UnmarshalJSON([]byte(`1e999`)); err != nil || !math.IsInf(float64(n), 1) {
		t.Errorf("1e999: got %v, %v", n, err)
	}
}

// TestMembersKeepOrder has a name twice, of which Python takes the last value.
func TestMembersKeepOrder(t *testing.T) {
	var m members
	if err := m.UnmarshalJSON([]byte(`{"b":1,"a":{"x":[2]},"b":3}`)); err != nil {
		t.Fatal(err)
	}
	text, err := m.MarshalJSON()
	if err != nil || string(text) != `{"b":3,"a":{"x":[2]}}` {
		t.Errorf("got %s, %v", text, err)
	}
	if !slices.Equal([]string{m[0].name, m[1].name}, []string{"b", "a"}) {
		t.Errorf("got %v", m)
	}
}
