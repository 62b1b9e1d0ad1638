package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

func TestQuietLog(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"text", "epoch 1\tloss=0.5\r\n", "epoch 1\tloss=0.5\r\n"},
		{"colours", "\x1b[1;31mred\x1b[0m \x1b[38;5;200mx\x1b[m", "\x1b[1;31mred\x1b[0m \x1b[38;5;200mx\x1b[m"},
		{"title of the window", "\x1b]0;owned\x07", `\x1b]0;owned\a`},
		{"cursor", "\x1b[2J\x1b[1;1H", `\x1b[2J\x1b[1;1H`},
		{"C1", "\u009b31m", `\u009b31m`},
		{"no UTF-8", "a\xffb", "a�b"},
		{"letters of others", "ä中🙂", "ä中🙂"},
		{"a colour without end", "\x1b[" + strings.Repeat("1", 100) + "m", `\x1b[` + strings.Repeat("1", 100) + "m"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for size := 1; size <= len(tt.in); size++ { // however it is cut
				var out bytes.Buffer
				q := &quiet{to: &out, returns: true}
				for part := range slices.Chunk([]byte(tt.in), size) {
					if _, err := q.Write(part); err != nil {
						t.Fatal(err)
					}
				}
				long := strings.HasPrefix(tt.name, "a colour")
				if got := out.String(); got != tt.want && !long || long && strings.Contains(got, "\x1b["+strings.Repeat("1", longestColour)) && size < longestColour {
					t.Errorf("in parts of %d: got %q, want %q", size, got, tt.want)
				}
			}
		})
	}
}

func TestPrintAsKeepsTheTerminal(t *testing.T) {
	hostile := map[string]string{"name": "a\x1b]0;b\x07c\u009b\x7f\n\t"}
	for _, format := range []string{"json", "yaml", "jsonpath={.name}", "jsonpath=.name"} {
		var out bytes.Buffer
		if err := printAs(&out, format, hostile); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(out.String(), "\x1b\x07\u009b\x7f") {
			t.Errorf("-o %s lets control characters through: %q", format, out.String())
		}
		var back map[string]string
		if format == "json" && (json.Unmarshal(out.Bytes(), &back) != nil || back["name"] != hostile["name"]) {
			t.Errorf("json does not read back: %q", out.String())
		}
	}
}

// TestAdviceOnFailures: what a command printed is shown of trials that one ran for, of others what is known of them.
func TestAdviceOnFailures(t *testing.T) {
	for reason, want := range map[string]string{
		"ExitCode": "`tuned logs work t1 --data-dir d`", tuner.ReasonTold: "`tuned describe work t1 --data-dir d`",
	} {
		w := whole{
			message: &tunedv1.Experiment{}, trials: []experiment.Trial{{Name: "t1", State: experiment.TrialFailed, Reason: reason}},
			Experiment: &experiment.Experiment{Metadata: experiment.Metadata{Name: "work", Namespace: defaultNamespace}},
		}
		got := adviceOnFailures(&place{dataDir: "d", getenv: noEnv}, &w)
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: got %q, want %q in it", reason, got, want)
		}
	}
}

// TestAdvice: each state and finding leads to what can be done, and a healthy experiment to nothing.
func TestAdvice(t *testing.T) {
	trials := func(n int) []experiment.Trial { return make([]experiment.Trial, n) }
	at := func(value string) *tunedv1.Trial {
		return &tunedv1.Trial{Assignments: []*tunedv1.Assignment{{Name: "lr", Value: value}}}
	}
	tests := []struct {
		name  string
		m     *tunedv1.Experiment
		count int
		want  string // in one of the sentences; "" for none at all
	}{
		{"healthy", &tunedv1.Experiment{State: "Running", Best: at("0.01")}, 20, ""},
		{"paused", &tunedv1.Experiment{State: "Paused"}, 0, "tuned resume work"},
		{"failed", &tunedv1.Experiment{State: "Failed", Completed: true}, 0, "tuned resume work"},
		{"budget", &tunedv1.Experiment{State: "Succeeded", Reason: "ExperimentMaxTrialsReached", Budget: &tunedv1.Budget{MaxTrials: new(int32(3))}}, 0, "`tuned extend work --max-trials +3 --data-dir d`"},
		{"time", &tunedv1.Experiment{State: "Succeeded", Reason: "ExperimentMaxDurationReached"}, 0, "--max-duration"},
		{"cost", &tunedv1.Experiment{State: "Succeeded", Reason: "ExperimentMaxCostReached"}, 0, "--max-cost"},
		{"goal", &tunedv1.Experiment{State: "Succeeded", Reason: "ExperimentGoalReached"}, 0, "`tuned best work --data-dir d`"},
		{"nobody asks", &tunedv1.Experiment{State: "Running", External: true, Counts: &tunedv1.Counts{}}, 0, "`tuned ask work --data-dir d`"},
		{"trouble", &tunedv1.Experiment{State: "Running", Trouble: "disk full"}, 0, "disk full"},
		{"another namespace", &tunedv1.Experiment{State: "Paused", Namespace: "team"}, 0, "`tuned resume work -n team --data-dir d`"},
		{"lower end, on a logarithmic scale", &tunedv1.Experiment{State: "Running", Best: at("0.00101")}, 20, "smaller min"},
		{"low, but not at the end of a logarithmic scale", &tunedv1.Experiment{State: "Running", Best: at("0.002")}, 20, ""},
		{"upper end", &tunedv1.Experiment{State: "Running", Best: at("0.1")}, 20, "larger max"},
		{"upper end of few trials", &tunedv1.Experiment{State: "Running", Best: at("0.1")}, 3, ""},
		{"no number", &tunedv1.Experiment{State: "Running", Best: at("nan")}, 20, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.m.Namespace == "" {
				tt.m.Namespace = defaultNamespace
			}
			p := &place{dataDir: "d", getenv: noEnv}
			w := whole{driven: true, message: tt.m, trials: trials(tt.count), Experiment: &experiment.Experiment{
				Metadata: experiment.Metadata{Name: "work"},
				Spec: experiment.Spec{Parameters: []experiment.ParameterSpec{{
					Name: "lr", ParameterType: "double",
					FeasibleSpace: experiment.FeasibleSpace{Min: "0.001", Max: "0.1", Distribution: "logUniform"},
				}}},
			}}
			got := adviceFor(p, &w)
			if tt.want == "" && len(got) > 0 || tt.want != "" && !strings.Contains(strings.Join(got, "\n"), tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestAdviceAtRest: where no daemon is, advice that takes one begins with one.
func TestAdviceAtRest(t *testing.T) {
	const serve = "`tuned serve --data-dir d`"
	for _, tt := range []struct {
		name, want string
		m          *tunedv1.Experiment
	}{
		{"paused", "it is paused: " + serve + " and, beside it, `tuned resume work --data-dir d` goes on", &tunedv1.Experiment{State: "Paused"}},
		{"running", "no daemon drives it: " + serve + ", or the tuned run that began it, goes on", &tunedv1.Experiment{State: "Running"}},
		{
			"budget", "its budget is used up: " + serve + " and, beside it, `tuned extend work --max-trials +3 --data-dir d` tries 3 more",
			&tunedv1.Experiment{Completed: true, Reason: "ExperimentMaxTrialsReached", Budget: &tunedv1.Budget{MaxTrials: new(int32(3))}},
		},
		{
			"goal", "the goal is reached: `tuned best work --data-dir d` shows where; " + serve + " and, beside it, `tuned resume work --data-dir d` looks for better",
			&tunedv1.Experiment{Completed: true, Reason: "ExperimentGoalReached"},
		},
	} {
		tt.m.Namespace = defaultNamespace
		w := whole{message: tt.m, Experiment: &experiment.Experiment{Metadata: experiment.Metadata{Name: "work"}}}
		if got := adviceOnState(&place{dataDir: "d", getenv: noEnv}, &w); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
