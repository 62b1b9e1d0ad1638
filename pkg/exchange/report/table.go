package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// table lists trials.
type table struct {
	Header []string
	Rows   []row
	Note   string
}

// row is a trial. Class says how it stands out.
type row struct {
	Class string
	Cells []cell
}

// newTable lists all trials by number, or of many the best ones first.
func (r *report) newTable() table {
	metrics := r.spec.Needed()
	for _, m := range r.spec.Objective.AdditionalMetricNames {
		if !slices.Contains(metrics, m) {
			metrics = append(metrics, m)
		}
	}
	t := table{Header: append([]string{"number", "state"}, metrics...)}
	for _, p := range r.spec.Parameters {
		t.Header = append(t.Header, p.Name)
	}
	numbers := len(t.Header)
	t.Header = append(t.Header, "took", "trial", "reason")
	noted := slices.ContainsFunc(r.Trials, func(t experiment.Trial) bool { return len(t.Note.Tags) > 0 || t.Note.Text != "" })
	if noted {
		t.Header = append(t.Header, "tags", "note")
	}
	for _, trial := range r.listed() {
		row := r.row(trial, metrics)
		if noted {
			row.Cells = append(row.Cells, newCell(strings.Join(trial.Note.Tags, ", ")), newCell(trial.Note.Text))
		}
		t.Rows = append(t.Rows, row)
	}
	for k := 2; k < numbers; k++ {
		shorten(len(t.Rows), func(i int) *cell { return &t.Rows[i].Cells[k] })
	}
	t.Note = r.tableNote(len(t.Rows))
	return t
}

// tableNote says what of all trials is in a table of so many rows.
func (r *report) tableNote(rows int) string {
	switch more := len(r.Trials) - rows; {
	case rows == 0:
		return "There is no trial yet."
	case more > 0:
		return fmt.Sprintf("The best %d of %d trials. Numbers are shortened, and whole where one points. All of it: tuned export %s", rows, len(r.Trials), r.Title)
	}
	return "Numbers are shortened, and whole where one points. All of it: tuned export " + r.Title
}

func (r *report) listed() (out []*experiment.Trial) {
	if len(r.Trials) <= maxRows {
		for i := range r.Trials {
			out = append(out, &r.Trials[i])
		}
		return out
	}
	out = r.ranked()
	with := map[uint64]bool{}
	for _, t := range out {
		with[t.Number] = true
	}
	for i := range r.Trials {
		if len(out) >= maxRows {
			break
		}
		if !with[r.Trials[i].Number] {
			out = append(out, &r.Trials[i])
		}
	}
	return out[:maxRows]
}

func (r *report) row(t *experiment.Trial, metrics []string) row {
	out := row{Cells: []cell{newCell(strconv.FormatUint(t.Number, 10)), newCell(string(t.State))}}
	switch {
	case r.Best != nil && r.Best.Number == t.Number:
		out.Class = "best"
	case t.State == experiment.TrialFailed || t.State == experiment.TrialMetricsUnavailable:
		out.Class = "bad"
	}
	for _, m := range metrics {
		out.Cells = append(out.Cells, newCell(r.metric(t, m)))
	}
	out.Cells = append(out.Cells, r.cells(t)...)
	ran := ""
	if !t.Started.IsZero() && !t.Finished.Before(t.Started) {
		ran = took(t.Finished.Sub(t.Started))
	}
	return row{out.Class, append(out.Cells, newCell(ran), newCell(t.Name), newCell(t.Reason))}
}

// cells are the values of a trial's parameters, empty where one is not active.
func (r *report) cells(t *experiment.Trial) (out []cell) {
	for _, p := range r.spec.Parameters {
		text, _ := valueOf(t, p.Name)
		c := newCell(text)
		c.text = p.ParameterType != "double" && p.ParameterType != "int"
		out = append(out, c)
	}
	return out
}
