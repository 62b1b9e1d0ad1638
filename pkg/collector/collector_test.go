package collector

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

// katibCase is one case of Katib's TestCollectObservationLog.
type katibCase struct {
	Case        string   `json:"case"`
	Content     string   `json:"content"`
	Error       string   `json:"error"`
	FileMissing bool     `json:"file_missing"`
	Filters     []string `json:"filters"`
	Format      string   `json:"format"`
	Metrics     []string `json:"metrics"`
	MetricLogs  []struct {
		Name      string `json:"name"`
		TimeStamp string `json:"time_stamp"`
		Value     string `json:"value"`
	} `json:"metric_logs"`
}

func TestKatibFileMetricsCollector(t *testing.T) {
	data, err := os.ReadFile(testenv.Katib(t, "vectors", "file-metricscollector.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []katibCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("got no case")
	}
	for _, tt := range cases {
		t.Run(tt.Case, func(t *testing.T) {
			got, err := parseCase(t, tt)
			if tt.Error != "" {
				if err == nil {
					t.Errorf("got no error, want one as %q", tt.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := []Sample{}
			for _, m := range tt.MetricLogs {
				at, err := time.Parse(time.RFC3339Nano, m.TimeStamp)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, Sample{Metric: m.Name, Text: m.Value, Time: at})
			}
			if diff := cmp.Diff(got, want, cmp.Comparer(time.Time.Equal)); diff != "" {
				t.Errorf("got - want +:\n%s", diff)
			}
			checkLive(t, tt, want)
		})
	}
}

// checkLive feeds a case to the collectors of live output, which must find each number that Katib
// finds; they may find more.
func checkLive(t *testing.T, tt katibCase, want []Sample) {
	t.Helper()
	line := NewJSON(tt.Metrics).Line
	if tt.Format == "TEXT" {
		text, err := NewText(tt.Metrics, tt.Filters)
		if err != nil {
			return // a filter that Katib takes and nothing can match
		}
		line = text.Line
	}
	var live []Sample
	for part := range strings.SplitSeq(tt.Content, "\n") {
		if len(part) > maxLine {
			return // what is live reads only the beginning of such a line
		}
		live = append(live, line(part)...)
	}
	for _, w := range want {
		same := func(s Sample) bool { return s.Metric == w.Metric && s.Text == w.Text }
		if isNumber(w.Text) && !isCut(tt.Content, w.Text) && !slices.ContainsFunc(live, same) {
			t.Errorf("live: %s = %s is missing among %v", w.Metric, w.Text, live)
		}
	}
}

// isCut reports whether a number stands in the text only as a part of a longer numeral, such as the
// 0 of 0x10 or the 1 of 1,000: Katib takes it, what is live refuses it.
func isCut(text, number string) bool {
	alone := regexp.MustCompile(`(^|[^\w.,])` + regexp.QuoteMeta(number) + `($|[^\w.,]|[.,]($|\W))`)
	return !alone.MatchString(text)
}

// parseCase reads a case's content. The content of a missing file is asked for by its name.
func parseCase(t *testing.T, tt katibCase) ([]Sample, error) {
	if !tt.FileMissing || tt.Format != "TEXT" && tt.Format != "JSON" {
		return ParseMetricLog(strings.NewReader(tt.Content), tt.Metrics, tt.Filters, tt.Format)
	}
	file, err := os.Open(t.TempDir() + "/invalid")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return ParseMetricLog(file, tt.Metrics, tt.Filters, tt.Format)
}

func TestParseMetricLog(t *testing.T) {
	tests := []struct {
		name, content, format string
		want                  string
		wantErr               string
	}{
		{"text", "loss=1\nacc=2\nloss=3", "TEXT", "loss=1 acc=2 loss=3", ""},
		{"carriage returns", "loss=1\r\nloss=2\rloss=3\r\n", "TEXT", "loss=1 loss=2 loss=3", ""},
		{"objective missing", "acc=2\n", "TEXT", "loss=unavailable", ""},
		{"empty", "", "JSON", "loss=unavailable", ""},
		{"json numbers count for nothing", `{"loss": 1, "acc": "2"}` + "\n\n" + `{"loss": "3"}`, "JSON", "acc=2 loss=3", ""},
		{"json text as Katib takes it", `{"loss": "good"}`, "JSON", "loss=good", ""},
		{"bad json", "{\"loss\": 1}\n\n{\"loss\"", "JSON", "", "line 3: parse JSON: unexpected end of JSON input"},
		{"json array", "[1]", "JSON", "", "line 1: parse JSON: json: cannot unmarshal array into Go value of type map[string]interface {}"},
		{"other format", "", "XML", "", `metrics format must be TEXT or JSON, got "XML"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseMetricLog(strings.NewReader(tt.content), []string{"loss", "acc"}, nil, tt.format)
			if message := errorText(err); message != tt.wantErr {
				t.Fatalf("got error %q, want %q", message, tt.wantErr)
			}
			if err == nil && values(got) != tt.want {
				t.Errorf("got %q, want %q", values(got), tt.want)
			}
		})
	}
}

func TestParseMetricLogReadsTimesAsKatib(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"first token", "2024-03-04T17:55:08.5+01:00 loss=1", "2024-03-04T16:55:08.5Z"},
		{"no zone", "2024-03-04 17:55:08,123 loss=1", ""},
		{"in brackets", "[2024-03-04T17:55:08Z] loss=1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			samples, err := ParseMetricLog(strings.NewReader(tt.line), []string{"loss"}, nil, "TEXT")
			if err != nil || len(samples) != 1 {
				t.Fatalf("got %v, %v, want one sample", samples, err)
			}
			got := ""
			if at := samples[0].Time; !at.IsZero() {
				got = at.UTC().Format(time.RFC3339Nano)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
