package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/tuned-hpo/tuned/pkg/exchange"
)

// table is rows of text under a header.
type table struct {
	header []string
	rows   [][]string
	spare  []string // columns that a narrow terminal may leave out, these first
	soft   []string // columns that a narrow terminal may cut, these first
}

// gap is the columns between two cells.
const gap = 2

// tableOf has a row per value: its fields that JSON has, under their names there.
func tableOf[T any](values ...T) *table {
	t := &table{}
	fields := []reflect.StructField{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			t.header, fields = append(t.header, name), append(fields, f)
		}
	}
	for _, v := range values {
		cells := []string{}
		for _, f := range fields {
			cells = append(cells, fmt.Sprint(reflect.ValueOf(v).FieldByIndex(f.Index)))
		}
		t.add(cells...)
	}
	return t
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table as aligned columns or as csv.
func (t *table) print(w io.Writer, format string) error {
	if format == "csv" {
		return writeCSV(w, append([][]string{slices.Clone(t.header)}, t.rows...))
	}
	widths := t.widths()
	if _, err := io.WriteString(w, line(upper(t.header), widths)+"\n"); err != nil {
		return err
	}
	for _, row := range t.rows {
		if _, err := io.WriteString(w, line(row, widths)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func writeCSV(w io.Writer, rows [][]string) error {
	for _, row := range rows {
		for j := range row {
			row[j] = exchange.Guarded(visibleLines(row[j]))
		}
	}
	return csv.NewWriter(w).WriteAll(rows)
}

// widths returns how wide the cells of each column are.
func (t *table) widths() []int {
	out := make([]int, len(t.header))
	for i, row := range append([][]string{upper(t.header)}, t.rows...) {
		for j, cell := range row {
			if i > 0 {
				cell = visible(cell)
			}
			out[j] = max(out[j], lipgloss.Width(cell))
		}
	}
	return out
}

// line writes cells in columns of the given widths.
func line(cells []string, widths []int) string {
	var b strings.Builder
	for j, cell := range cells {
		cell = visible(cell)
		b.WriteString(cell)
		if pad := widths[j] - lipgloss.Width(cell); j < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", max(0, pad)+gap))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// width is what the table needs in columns of a terminal.
func (t *table) width() int {
	sum := -gap
	for _, w := range t.widths() {
		sum += w + gap
	}
	return sum
}

// leastText is what is always left of the last column, in columns of a terminal.
const leastText = 20

// leastSoft is what is always left of a soft column, in columns of a terminal.
const leastSoft = 9

// fit makes the table at most so many columns wide, as far as that goes: it shortens numbers, cuts the last column and
// soft ones, and leaves out spare columns, whose names it returns.
func (t *table) fit(columns int) (left []string) {
	if t.width() <= columns {
		return nil
	}
	for _, row := range t.rows {
		for j, cell := range row {
			row[j] = shortNumber(cell)
		}
	}
	for _, name := range t.spare {
		if t.width()-t.slack() <= columns {
			break
		}
		if j := slices.Index(t.header, name); j >= 0 {
			t.drop(j)
			left = append(left, name)
		}
	}
	t.cut(len(t.header)-1, leastText, columns)
	for _, name := range t.soft {
		t.cut(slices.Index(t.header, name), leastSoft, columns)
	}
	return left
}

// slack is by how many columns of a terminal the table can be cut.
func (t *table) slack() int {
	widths := t.widths()
	slack := max(0, widths[len(widths)-1]-leastText)
	for _, name := range t.soft {
		if j := slices.Index(t.header, name); j >= 0 {
			slack += max(0, widths[j]-leastSoft)
		}
	}
	return slack
}

// cut makes a column narrower, to least at least, as far as it takes to make the table so many columns wide.
func (t *table) cut(j, least, columns int) {
	over := t.width() - columns
	if j < 0 || over <= 0 {
		return
	}
	room := max(least, t.widths()[j]-over)
	for _, row := range t.rows {
		row[j] = cut(visible(row[j]), room)
	}
}

// drop takes a column away.
func (t *table) drop(j int) {
	t.header = slices.Delete(slices.Clone(t.header), j, j+1)
	for i := range t.rows {
		t.rows[i] = slices.Delete(t.rows[i], j, j+1)
	}
}

// shortNumber writes a number of many digits with five; other text stays.
func shortNumber(text string) string {
	const many = 7 // characters
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || len(text) <= many || v == math.Trunc(v) {
		return text
	}
	return short(v)
}

// cut ends a text that is wider than so many columns with an ellipsis.
func cut(text string, columns int) string {
	if lipgloss.Width(text) <= columns {
		return text
	}
	r := []rune(text)
	for len(r) > 0 && lipgloss.Width(string(r)) > columns-1 {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

// printTable writes a table to standard output: on a terminal so that it fits, with a word about what was left out.
func (a *app) printTable(t *table, format string) error {
	if columns := a.columns(); format == "table" && columns > 0 {
		if left := t.fit(columns); len(left) > 0 {
			defer fmt.Fprintf(a.stderr, "left out for want of width: %s; -o csv and -o json have all\n", strings.Join(left, ", "))
		}
	}
	return t.print(a.stdout, format)
}

// upper writes the names of columns as a header.
func upper(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = strings.ToUpper(name)
	}
	return out
}

// indentWithin is indent on a terminal of so many columns; 0: on none.
func (t *table) indentWithin(w io.Writer, columns int) {
	if columns > 0 {
		t.fit(columns - gap)
	}
	t.indent(w)
}

// indentWhole is indent that cuts nothing: where a terminal of so many columns, 0 for none, is too narrow for the table, each
// row is its first cell and below that the others by name, in as many lines as they take.
func (t *table) indentWhole(w io.Writer, columns int) {
	if columns == 0 || t.width()+gap <= columns {
		t.indent(w)
		return
	}
	label := 0
	for _, name := range t.header[1:] {
		label = max(label, lipgloss.Width(name))
	}
	room := max(leastSoft, columns-3*gap-label)
	for _, row := range t.rows {
		fmt.Fprintf(w, "%*s%s\n", gap, "", visible(row[0]))
		for j, cell := range row[1:] {
			name := t.header[j+1]
			for part := range strings.SplitSeq(lipgloss.Wrap(visible(cell), room, ""), "\n") {
				if part != "" && part != none {
					fmt.Fprintf(w, "%*s%-*s%*s%s\n", 2*gap, "", label, name, gap, "", strings.TrimSpace(part))
				}
				name = ""
			}
		}
	}
}

// none is a cell of a row that has nothing there.
const none = "-"

// indent writes the table as columns, two spaces in.
func (t *table) indent(w io.Writer) {
	_ = t.print(indented{w}, "table") // as with all that is printed for people
}
