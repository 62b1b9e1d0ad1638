package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	const pkg = `"Package":"github.com/tuned-hpo/tuned/pkg/store"`
	tests := map[string]struct {
		events []string
		ok     bool
		want   string
	}{
		"pass": {
			[]string{
				`{"Action":"run",` + pkg + `,"Test":"TestA"}`,
				`{"Action":"output",` + pkg + `,"Test":"TestA","Output":"    a_test.go:3: chatter\n"}`,
				`{"Action":"pass",` + pkg + `,"Test":"TestA"}`,
				`{"Action":"pass",` + pkg + `,"Elapsed":0.25}`,
			},
			true,
			"ok    ./pkg/store  0.2s\n\n1 passed, 0 failed, 0 skipped\n",
		},
		"fail": {
			[]string{
				`{"Action":"output",` + pkg + `,"Test":"TestA","Output":"    a_test.go:3: got 1, want 2\n"}`,
				`{"Action":"fail",` + pkg + `,"Test":"TestA"}`,
				`{"Action":"pass",` + pkg + `,"Test":"TestB"}`,
				`{"Action":"fail",` + pkg + `,"Elapsed":1}`,
			},
			false,
			"    a_test.go:3: got 1, want 2\nFAIL  ./pkg/store  1.0s\n\n1 passed, 1 failed, 0 skipped\n",
		},
		"skip": {
			[]string{
				`{"Action":"output",` + pkg + `,"Test":"TestA","Output":"=== RUN   TestA\n"}`,
				`{"Action":"output",` + pkg + `,"Test":"TestA","Output":"    a_test.go:3: no python3\n"}`,
				`{"Action":"output",` + pkg + `,"Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}`,
				`{"Action":"skip",` + pkg + `,"Test":"TestA"}`,
				`{"Action":"output",` + pkg + `,"Test":"TestC","Output":"    b_test.go:9: no python3\n"}`,
				`{"Action":"skip",` + pkg + `,"Test":"TestC"}`,
				`{"Action":"output",` + pkg + `,"Test":"TestMute","Output":"    a_test.go:8: \n"}`,
				`{"Action":"skip",` + pkg + `,"Test":"TestMute"}`,
				`{"Action":"pass",` + pkg + `,"Test":"TestB"}`,
			},
			true,
			"\nSkipped:\n  no python3\n      ./pkg/store TestA\n      ./pkg/store TestC\n" +
				"  no reason given\n      ./pkg/store TestMute\n\n1 passed, 0 failed, 3 skipped\n",
		},
		"build error": {
			[]string{
				`{"ImportPath":"x","Action":"build-output","Output":"a.go:1:1: syntax error\n"}`,
				`{"ImportPath":"x","Action":"build-fail"}`,
				`{"Action":"output",` + pkg + `,"Output":"FAIL\tpkg/store [build failed]\n"}`,
				`{"Action":"fail",` + pkg + `,"Elapsed":0}`,
			},
			false,
			"a.go:1:1: syntax error\nFAIL  ./pkg/store  0.0s\nFAIL\tpkg/store [build failed]\n" +
				"\n1 packages could not be tested\n\n0 passed, 0 failed, 0 skipped\n",
		},
		"death in a test": {
			[]string{
				`{"Action":"output",` + pkg + `,"Test":"TestA","Output":"panic: boom\n"}`,
				`{"Action":"fail",` + pkg + `,"Elapsed":0}`,
			},
			false,
			"FAIL  ./pkg/store  0.0s\npanic: boom\n\n1 packages could not be tested\n\n0 passed, 0 failed, 0 skipped\n",
		},
		"no event": {
			[]string{"go: cannot find main module"},
			false,
			"go: cannot find main module\n\n0 passed, 0 failed, 0 skipped\n",
		},
		"nothing": {nil, false, "\n0 passed, 0 failed, 0 skipped\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var in, out strings.Builder
			for _, e := range tt.events {
				in.WriteString(e + "\n")
			}
			ok, err := report(strings.NewReader(in.String()), &out, false)
			if err != nil {
				t.Fatal(err)
			}
			if ok != tt.ok {
				t.Errorf("ok is %v, want %v", ok, tt.ok)
			}
			if diff := cmp.Diff(out.String(), tt.want); diff != "" {
				t.Errorf("report (-got +want):\n%s", diff)
			}
		})
	}
}

func TestReportRequiresAll(t *testing.T) {
	const pass, skip = `{"Action":"pass","Package":"p","Test":"A"}`, `{"Action":"skip","Package":"p","Test":"B"}`
	for events, want := range map[string]bool{pass: true, pass + "\n" + skip: false} {
		var out strings.Builder
		got, err := report(strings.NewReader(events), &out, true)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("ok is %v, want %v after\n%s", got, want, events)
		}
	}
}
