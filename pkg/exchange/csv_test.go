package exchange

import (
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

func TestGuard(t *testing.T) {
	for text, want := range map[string]string{
		"":             "",
		"plain":        "plain",
		"=1+1":         "'=1+1",
		"+1":           "+1",
		"-1e-5":        "-1e-5",
		"-Inf":         "-Inf",
		"-":            "'-",
		"@SUM(A1)":     "'@SUM(A1)",
		"+1+cmd|' /C'": "'+1+cmd|' /C'",
		"\tx":          "'\tx",
		"\r=x":         "'\r=x",
		"'=x":          "''=x",
		"'x":           "'x",
		"'-5":          "'-5",
		"a=b":          "a=b",
	} {
		got := Guarded(text)
		if got != want {
			t.Errorf("Guarded(%q): got %q, want %q", text, got, want)
		}
		if back := plain(got); back != text {
			t.Errorf("plain(%q): got %q, want %q", got, back, text)
		}
	}
}

// TestCSVSaysWhatIsMissing: what a table lacks is named, with what there is.
func TestCSVSaysWhatIsMissing(t *testing.T) {
	objective := []experiment.FurtherObjective{{MetricName: "loss", Type: "minimize"}}
	for name, tt := range map[string]struct {
		text    string
		columns map[string]string
		want    []string
	}{
		"titles alone":    {"x,loss\n", nil, []string{"no rows below its titles"}},
		"no such title":   {"x,loss\n1,2\n", map[string]string{"lss": "metrics.loss"}, []string{"there is no such column; there are x, loss"}},
		"no such meaning": {"x,loss\n1,2\n", map[string]string{"loss": "bogus"}, []string{"nor is there a column bogus: the columns are x, loss"}},
		"the other way":   {"x,loss\n1,2\n", map[string]string{"loss": "x"}, []string{"--column has the title first, as in x=metrics.NAME"}},
	} {
		_, err := Read(strings.NewReader(tt.text), "csv", Options{File: "f.csv", Name: "n", Namespace: "default", Objectives: objective, Columns: tt.columns})
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
	}
}

// TestLineage: whose checkpoint a trial began from, and what suggested it, is in CSV; a reader knows these columns and leaves them out.
func TestLineage(t *testing.T) {
	s := mixed(t)
	rows := strings.Split(string(written(t, CSV, s)), "\n")
	if header := rows[0]; !strings.HasSuffix(header, ",best,parent,algorithm") {
		t.Errorf("titles: %s", header)
	}
	if notes := reread(t, CSV, written(t, CSV, s), Options{Spec: &s.Experiment.Spec}).Notes; len(notes) > 0 {
		t.Errorf("notes on columns of its own: %s", notes)
	}
	if text := string(written(t, CSV, s)); strings.Count(text, ",1,tpe\n") != 1 {
		t.Errorf("no row ends with parent and algorithm:\n%s", text)
	}
}
