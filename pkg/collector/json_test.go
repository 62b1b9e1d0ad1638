package collector

import (
	"strings"
	"testing"
	"time"
)

func TestJSONLine(t *testing.T) {
	tests := []struct {
		name    string
		metrics string // joined by ;
		line    string
		want    string
	}{
		{"number", "loss", `{"loss": 0.43}`, "loss=0.43"},
		{"number as written", "loss", `{"loss": 1.50E-3}`, "loss=1.50E-3"},
		{"text", "loss", `{"loss": " 0.43 "}`, "loss=0.43"},
		{"order of the wanted names", "loss;acc", `{"acc": 1, "loss": 2}`, "loss=2 acc=1"},
		{"NaN and Infinity as Python writes them", "a;b;c", `{"a": NaN, "b": -Infinity, "c": "NaN", "d": "say NaN \" NaN"}`, "a=NaN b=-Infinity c=NaN"},
		{"overflow", "loss", `{"loss": 1e400}`, "loss=1e400"},
		{"no number", "loss", `{"loss": "N/A", "loss2": 1}`, ""},
		{"null, object, list, bool", "a;b;c;d", `{"a": null, "b": {}, "c": [1], "d": true}`, ""},
		{"flat key with a dot", "eval.loss", `{"eval.loss": 1, "eval": {"loss": 2}}`, "eval.loss=1"},
		{"path", "eval.loss", `{"eval": {"loss": 2}}`, "eval.loss=2"},
		{"path through a key with a dot", "a.b.loss", `{"a": 1, "a.b": {"loss": 2}}`, "a.b.loss=2"},
		{"no path without a dot", "loss", `{"eval": {"loss": 2}}`, ""},
		{"slash", "eval/loss", `{"eval/loss": 1}`, "eval/loss=1"},
		{"cut off", "loss", `{"loss": 0.4`, ""},
		{"more after it", "loss", `{"loss": 0.4} x`, ""},
		{"two objects", "loss", `{"loss": 0.4}{"loss": 0.5}`, ""},
		{"list", "loss", `[{"loss": 0.4}]`, ""},
		{"text line", "loss", `loss=0.4`, ""},
		{"blank", "loss", "  ", ""},
		{"NUL", "loss", "{\"loss\": 1\x00}", ""},
		{"invalid UTF-8", "loss", "{\"x\xff\": 1, \"loss\": 1}", "loss=1"},
		{"deep", "loss", strings.Repeat(`{"a":`, 20000), ""},
		{"1 MB", "loss", `{"loss": 1, "x": "` + strings.Repeat("x", 1<<20) + `"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewJSON(strings.Split(tt.metrics, ";"))
			if got := values(c.Line(tt.line)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := values(c.Line(`{"loss": 7}`)); strings.HasPrefix(tt.metrics, "loss") && got != "loss=7" {
				t.Errorf("line after it: got %q, want loss=7", got)
			}
		})
	}
}

func TestJSONTimeAndStep(t *testing.T) {
	tests := []struct {
		name, keys string
		want       string // RFC 3339, "" when unknown
		wantStep   int64
	}{
		{"neither", `"x": 1`, "", 0},
		{"text", `"timestamp": "2021-12-02T14:27:50.000035161+09:00"`, "2021-12-02T05:27:50.000035161Z", 0},
		{"seconds", `"timestamp": 1638422847`, "2021-12-02T05:27:27Z", 0},
		{"seconds with fraction", `"timestamp": 1638422847.28721`, "2021-12-02T05:27:27.28721Z", 0},
		{"wrong text", `"timestamp": "invalid"`, "", 0},
		{"huge, negative", `"timestamp": 1e300`, "", 0},
		{"negative", `"timestamp": -5`, "", 0},
		{"object", `"timestamp": {}`, "", 0},
		{"step", `"step": 3, "epoch": 1`, "", 3},
		{"step as text", `"global_step": "4", "epoch": 1`, "", 4},
		{"epoch", `"epoch": 2.0`, "", 2},
		{"fraction of an epoch", `"epoch": 2.5`, "", 0},
		{"negative step", `"step": -1`, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			samples := NewJSON([]string{"loss"}).Line(`{"loss": 1, ` + tt.keys + `}`)
			if len(samples) != 1 {
				t.Fatalf("got %d samples, want 1", len(samples))
			}
			got := ""
			if !samples[0].Time.IsZero() {
				got = samples[0].Time.UTC().Format(time.RFC3339Nano)
			}
			if got != tt.want || samples[0].Step != tt.wantStep {
				t.Errorf("got %q and step %d, want %q and %d", got, samples[0].Step, tt.want, tt.wantStep)
			}
		})
	}
}

func TestJSONNear(t *testing.T) {
	tests := []struct {
		name, objective string
		lines           string // joined by |
		want            string
	}{
		{"found", "loss", `{"Loss": 1}|{"loss": 1}`, ""},
		{"nothing", "loss", `{"x": 1}`, `metric "loss" was not found; lines read as JSON: 1`},
		{
			"other key", "val_loss", `{"x": 1}|{"train_loss": 3, "validation_loss": 0.5}|{"validation_loss": 0.4}`,
			`metric "val_loss" was not found; lines read as JSON: 3; line 2 has "validation_loss": 0.5, so that the metric name "validation_loss" would have matched`,
		},
		{
			"nested", "loss", `{"eval": {"loss": 0.5}}`,
			`metric "loss" was not found; lines read as JSON: 1; line 1 has "loss": 0.5, so that the metric name "eval.loss" would have matched`,
		},
		{"no number", "loss", `{"loss": [1]}`, `metric "loss" was not found; lines read as JSON: 1; line 1 has "loss", but "[1]" is no number`},
		{"text", "loss", "start|loss=0.5", `metric "loss" was not found; lines read as JSON: 2; ` +
			`2 lines are no JSON object, first line 1 "start": parse JSON: the line is not an object; line 2 "loss=0.5" would have been read with format TEXT`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewJSON([]string{tt.objective})
			for line := range strings.SplitSeq(tt.lines, "|") {
				c.Line(line)
			}
			if got := c.Near(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"loss": NaN, "step": 3, "timestamp": 1.5, "eval": {"loss": "1"}}`)
	f.Add(`{"loss": "\ud800", "timestamp": "2021"}`)
	f.Add("loss=1")
	f.Fuzz(func(t *testing.T, line string) {
		c := NewJSON([]string{"loss", "eval.loss"})
		for _, s := range c.Line(line) {
			if !isNumber(s.Text) || s.Step < 0 {
				t.Errorf("line %q: got %+v", line, s)
			}
		}
		c.Near()
		_, _ = ParseMetricLog(strings.NewReader(line), []string{"loss"}, nil, "JSON")
	})
}
