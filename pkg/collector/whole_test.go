package collector

import (
	"strings"
	"testing"
	"time"
)

func TestWholeFileTimestamp(t *testing.T) {
	for _, c := range []struct {
		stamp string
		want  time.Time
	}{
		{`0`, time.Unix(0, 0)},
		{`-5`, time.Unix(-5, 0)},
		{`-5.25`, time.Unix(-5, 25)},
		{`"2024-03-04T17:55:08Z"`, time.Date(2024, 3, 4, 17, 55, 8, 0, time.UTC)},
		{`"2024-03-04 17:55:08"`, time.Time{}},
		{`"2024-03-04T17:55:08"`, time.Time{}},
		{`"[2024-03-04T17:55:08Z]"`, time.Time{}},
		{`1638422847.28721`, time.Unix(1638422847, 28721)},
	} {
		line := `{"loss": "1", "timestamp": ` + c.stamp + "}\n"
		got, err := ParseMetricLog(strings.NewReader(line), []string{"loss"}, nil, "JSON")
		if err != nil || len(got) != 1 || !got[0].Time.Equal(c.want) {
			t.Errorf("timestamp %s: got %v, %v, want one sample at %v", c.stamp, got, err, c.want)
		}
	}
}

func TestTextFindsDottedNameInNestedObject(t *testing.T) {
	text, err := NewText([]string{"metrics.f1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := text.Line(`{"metrics": {"f1": 0.5}}`)
	if len(got) != 1 || got[0].Metric != "metrics.f1" || got[0].Text != "0.5" {
		t.Errorf("got %v, want metrics.f1 = 0.5", got)
	}
}

func TestWholeFileJSONText(t *testing.T) {
	log := "null\n" + `{"loss": " 1 "}` + "\n" + `{"loss": ""}` + "\n"
	got, err := ParseMetricLog(strings.NewReader(log), []string{"loss"}, nil, "JSON")
	if err != nil || len(got) != 2 || got[0].Text != " 1 " || got[1].Text != "" {
		t.Errorf("got %v, %v, want the texts \" 1 \" and \"\"", got, err)
	}
}
