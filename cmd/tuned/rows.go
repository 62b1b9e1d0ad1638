package main

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// rowPrinter prints tables one after the other as one, under the header of the first. Columns are as wide as the widest
// cell so far; where they have to become wider, or come or go, the header is printed again above them.
type rowPrinter struct {
	header []string
	widths []int             // of all columns but the last, which nothing follows
	widest map[string]string // by column
	last   map[string]string // row, by the cells that name it
}

// changed leaves those rows in a table that differ from how they were when it was called last. The first cells, so many, name
// a row; a column that changes with time alone makes no difference.
func (p *rowPrinter) changed(t *table, named int, aging string) {
	if p.last == nil {
		p.last = map[string]string{}
	}
	t.rows = slices.DeleteFunc(t.rows, func(row []string) bool {
		name, now := strings.Join(row[:named], "/"), slices.Clone(row)
		if j := slices.Index(t.header, aging); j >= 0 {
			now[j] = ""
		}
		same := p.last[name] == fmt.Sprint(now)
		p.last[name] = fmt.Sprint(now)
		return same
	})
}

// expected are cells as wide as those that are to come, so that columns need not become wider.
var expected = map[string]string{
	"state": string(experiment.Succeeded), "value": "-0.1234567890123456", "age": "59m59s", "duration": "59m59s",
}

func (p *rowPrinter) print(a *app, t *table, format string) error {
	if len(t.rows) == 0 {
		return nil
	}
	if format == "csv" {
		rows := t.rows
		if !slices.Equal(p.header, t.header) {
			p.header = slices.Clone(t.header)
			rows = append([][]string{slices.Clone(t.header)}, rows...)
		}
		return writeCSV(a.stdout, rows)
	}
	p.remember(t)
	if columns := a.columns(); columns > 0 {
		t.fit(columns)
	}
	widths, rows := t.widths(), t.rows[1:]
	if last := len(widths) - 1; !slices.Equal(p.header, t.header) || !slices.Equal(p.widths, widths[:last]) {
		p.header, p.widths = slices.Clone(t.header), slices.Clone(widths[:last])
		rows = append([][]string{upper(t.header)}, rows...)
	}
	for _, row := range rows {
		if _, err := fmt.Fprintln(a.stdout, line(row, widths)); err != nil {
			return err
		}
	}
	return nil
}

// remember puts a first row into a table, of the widest cells of all tables so far, which is laid out with the
// others, but not printed.
func (p *rowPrinter) remember(t *table) {
	if p.widest == nil {
		p.widest = map[string]string{}
	}
	first := make([]string, len(t.header))
	for j, name := range t.header {
		widest := p.widest[name]
		if widest == "" {
			widest = expected[name]
		}
		for _, row := range t.rows {
			if cell := visible(row[j]); lipgloss.Width(cell) > lipgloss.Width(widest) {
				widest = cell
			}
		}
		p.widest[name], first[j] = widest, widest
	}
	t.rows = slices.Insert(t.rows, 0, first)
}
