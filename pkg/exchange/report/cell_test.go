package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// TestShorten: numbers that differ look different, and all of each can be seen.
func TestShorten(t *testing.T) {
	for name, tt := range map[string]struct{ column, want []string }{
		"six digits":       {[]string{"0.1234567891", "0.9876543219"}, []string{"0.123457", "0.987654"}},
		"as many as tell":  {[]string{"0.12345678912", "0.12345678934", "0.5"}, []string{"0.1234567891", "0.1234567893", "0.5"}},
		"equal ones":       {[]string{"0.1234567891", "0.1234567891"}, []string{"0.123457", "0.123457"}},
		"last digit":       {[]string{"0.30000000000000004", "0.3"}, []string{"0.30000000000000004", "0.3"}},
		"powers":           {[]string{"1.23456789e-300", "1.23456789e+300"}, []string{"1.23457e-300", "1.23457e+300"}},
		"not finite":       {[]string{"NaN", "NaN", "-Inf", "0.12345678"}, []string{"NaN", "NaN", "-Inf", "0.123457"}},
		"none, and no one": {[]string{"", "", "unavailable"}, []string{"", "", "unavailable"}},
		"nothing":          {nil, nil},
	} {
		var cells []cell
		for _, text := range tt.column {
			cells = append(cells, newCell(text))
		}
		shorten(len(cells), func(i int) *cell { return &cells[i] })
		var got, whole []string
		for _, c := range cells {
			got = append(got, c.Text)
			if c.Full == "" {
				c.Full = c.Text
			}
			whole = append(whole, c.Full)
		}
		if diff := cmp.Diff(got, tt.want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", name, diff)
		}
		if diff := cmp.Diff(whole, tt.column); diff != "" {
			t.Errorf("%s, whole (-got +want):\n%s", name, diff)
		}
	}
	categories := []cell{{Text: "0.1234567891", text: true}}
	if shorten(1, func(i int) *cell { return &categories[i] }); categories[0].Text != "0.1234567891" {
		t.Errorf("a category is shortened to %s", categories[0].Text)
	}
}

// TestTableTellsTrialsApart: two trials whose losses differ in the ninth digit do so in the table, too.
func TestTableTellsTrialsApart(t *testing.T) {
	in := study(t, 3, 1, "")
	for i, v := range []string{"0.123456781", "0.123456789", "0.5"} {
		in.Trials[i].Observation.Metrics[0] = experiment.Metric{Name: "loss", Min: v, Max: v, Latest: v}
	}
	text := written(t, in)
	for _, want := range []string{`title="0.123456781">0.12345678</td>`, `title="0.123456789">0.12345679</td>`, `title="0.6180339887498949">0.618034</td>`} {
		if !strings.Contains(text, want) {
			t.Errorf("the table has no %s", want)
		}
	}
}

// TestNothingToPlot: where no trial has a value there are no headings without plots below them, and no table without rows.
func TestNothingToPlot(t *testing.T) {
	failed := study(t, 3, 2, "")
	for i := range failed.Trials {
		failed.Trials[i].State, failed.Trials[i].Observation = experiment.TrialFailed, experiment.Observation{}
	}
	for name, in := range map[string]Input{"no trial": study(t, 0, 2, ""), "all failed": failed} {
		text := written(t, in)
		if strings.Contains(text, "<h3>") {
			t.Errorf("%s: there is a heading without plots", name)
		}
		if rows := strings.Count(text, "<tr"); rows == 1 {
			t.Errorf("%s: there is a table without rows", name)
		}
	}
}
