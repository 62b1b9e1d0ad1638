package collector

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const examplePage = `# HELP loss The loss.
# TYPE loss gauge
loss{set="train"} 0.5
loss{set="val",fold="1"} 0.25 1395066363000
loss{set="val",fold="2",} NaN
# TYPE steps_total counter
steps_total 1.027e+03
untyped{path="C:\\DIR\\",msg="say \"}\" \n"} -Inf

# TYPE seconds histogram
seconds_bucket{le="0.05"} 24054
seconds_bucket{le="+Inf"} 144320
seconds_sum 53423
seconds_count 144320
# TYPE rpc summary
rpc{quantile="0.5"} 4773
job:loss:mean 7
bad{x="1 3
worse 0x10
`

func TestScrape(t *testing.T) {
	tests := []struct {
		name    string
		metrics string // joined by |
		want    string
		wantErr string
	}{
		{"counter", "steps_total", "steps_total=1.027e+03", ""},
		{"rule name", "job:loss:mean", "job:loss:mean=7", ""},
		{"labels", `loss{set="train"}`, `loss{set="train"}=0.5`, ""},
		{"some of the labels", `loss{fold="1"}`, `loss{fold="1"}=0.25`, ""},
		{"labels in another order", `loss{ fold = "1" , set="val" }`, `loss{ fold = "1" , set="val" }=0.25`, ""},
		{"NaN", `loss{fold="2"}`, `loss{fold="2"}=NaN`, ""},
		{"escapes", `untyped{msg="say \"}\" \n"}`, `untyped{msg="say \"}\" \n"}=-Inf`, ""},
		{"no labels wanted, one series", "untyped", "untyped=-Inf", ""},
		{"several series", "loss|steps_total", "steps_total=1.027e+03", `metric "loss" has several series, such as loss{set="train"} and loss{fold="1",set="val"}: name the labels of one`},
		{"histogram", "seconds|seconds_sum", "seconds_sum=53423", `metric "seconds" is a histogram`},
		{"summary", `rpc{quantile="0.5"}`, "", "is a summary"},
		{"absent", "accuracy", "", ""},
		{"start of a name", "step", "", ""},
		{"line without end", "bad|steps_total", "steps_total=1.027e+03", `line 18: metric "bad": label "x": the value has no end`},
		{"no number", "worse", "", `"0x10" is no number`},
		{"wanted name is none", "a b", "", `metric "a b": "b" follows the name`},
		{"wanted labels have no end", `a{b="c"`, "", "the labels have no end"},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, examplePage)
	}))
	defer server.Close()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Scrape(t.Context(), server.Client(), server.URL+"/metrics", strings.Split(tt.metrics, "|"))
			if message := errorText(err); (message == "") != (tt.wantErr == "") || !strings.Contains(message, tt.wantErr) {
				t.Errorf("got error %q, want %q", message, tt.wantErr)
			}
			if values(got) != tt.want {
				t.Errorf("got %q, want %q", values(got), tt.want)
			}
		})
	}
	if _, err := Scrape(t.Context(), server.Client(), server.URL, []string{"loss"}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("other path: got %v, want the status", err)
	}
}

func TestScrapeTime(t *testing.T) {
	got, err := parsePage(strings.NewReader("a 1 1395066363000\nb 1\nc 1 x\n"), []string{"a", "b", "c"})
	if message := errorText(err); message != `line 3: metric "c": "x" is no time in milliseconds` {
		t.Errorf("got error %q", message)
	}
	if len(got) != 2 || !got[0].Time.Equal(time.Unix(1395066363, 0)) || !got[1].Time.IsZero() {
		t.Errorf("got %+v", got)
	}
}

func FuzzPrometheus(f *testing.F) {
	f.Add(examplePage, `loss{set="train"}`)
	f.Add("a{b=\"\\", "a")
	f.Fuzz(func(t *testing.T, page, metric string) {
		samples, _ := parsePage(strings.NewReader(page), []string{metric, "loss", "a"})
		for _, s := range samples {
			if !isNumber(s.Text) {
				t.Errorf("got %+v", s)
			}
		}
	})
}
