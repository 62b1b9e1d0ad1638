package main

import (
	"strings"
	"testing"
	"time"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// watched are experiments as they change: names grow, values come, and one gets a tag.
func watched() [][]*tunedv1.Experiment {
	value := 0.12345678901234567
	found := &tunedv1.Trial{Name: "a-longer-name-x7k2bcdf", Value: &value}
	return [][]*tunedv1.Experiment{
		{{Namespace: "default", Name: "a", State: "Created"}, {Namespace: "default", Name: "b", State: "Running"}},
		{{Namespace: "default", Name: "a", State: "Running"}},
		{{Namespace: "default", Name: "b", State: "Running"}}, // as before
		{{Namespace: "default", Name: "a-longer-name", State: "Running", Best: found}},
		{{Namespace: "default", Name: "b", State: "Paused", Tags: []string{"x"}}},
		{{Namespace: "default", Name: "a", State: "Deleted"}},
	}
}

// TestWatchedRowsStandUnderTheirTitles: each row is read by the header above it.
func TestWatchedRowsStandUnderTheirTitles(t *testing.T) {
	var out strings.Builder
	a := &app{stdout: &out, getenv: noEnv}
	print := a.watchPrinter(&getFlags{format: "table"})
	for _, list := range watched() {
		if err := print(list...); err != nil {
			t.Fatal(err)
		}
	}
	headers, rows, header := 0, 0, ""
	for row := range strings.Lines(out.String()) {
		if strings.HasPrefix(row, "NAMESPACE") {
			headers, header = headers+1, row
			continue
		}
		rows++
		for title, cells := range map[string][]string{"STATE": {"Created", "Running", "Paused", "Deleted"}, "BUDGET": {"unlimited"}, "VALUE": {"0.12345678901234566", " ", "\n"}, "TAGS": {"x", "\n"}} {
			at := strings.Index(header, title)
			rest := "\n"
			if at >= 0 && at < len(row) {
				rest = row[at:]
			}
			fits := at < 0 && title == "TAGS"
			for _, cell := range cells {
				fits = fits || strings.HasPrefix(rest, cell)
			}
			if !fits {
				t.Errorf("below %s stands %q in\n%s", title, rest, out.String())
			}
		}
	}
	if headers != 3 || rows != 6 { // at first, when the name is longer than all before, and when a tag comes
		t.Errorf("%d headers and %d rows, want 3 and 6:\n%s", headers, rows, out.String())
	}
}

func TestWatchedCSVHasOneHeader(t *testing.T) {
	var out strings.Builder
	print := (&app{stdout: &out, getenv: noEnv}).watchPrinter(&getFlags{format: "csv"})
	for _, list := range watched() {
		if err := print(list...); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for _, row := range lines {
		if strings.Count(row, ",") != strings.Count(lines[0], ",") {
			t.Errorf("%q has not the columns of %q", row, lines[0])
		}
	}
	if len(lines) != 7 || strings.Count(out.String(), "namespace,") != 1 || !strings.HasSuffix(lines[0], ",tags") {
		t.Errorf("got\n%s", out.String())
	}
}

// TestCSVHasAlwaysTheSameColumns: a program that reads it finds tags also where there are none.
func TestCSVHasAlwaysTheSameColumns(t *testing.T) {
	for _, list := range watched() {
		if header := experimentTable(list, "csv", true, false, time.Now()).header; header[len(header)-1] != "tags" {
			t.Errorf("got %q", header)
		}
	}
}
