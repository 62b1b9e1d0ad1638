package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

func TestTableLinesUp(t *testing.T) {
	tb := table{header: []string{"name", "value"}}
	tb.add("中文", "1")
	tb.add("a\x1b[2J", "2")
	tb.add("ab", "")
	var out strings.Builder
	if err := tb.print(&out, "table"); err != nil {
		t.Fatal(err)
	}
	want := "NAME      VALUE\n中文      1\na\\x1b[2J  2\nab\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestTableAsCSV(t *testing.T) {
	tb := table{header: []string{"number", "=loss", "message"}}
	tb.add("-1", "-inf", "=cmd|x")
	tb.add("2", "0.5", "a, \x1b[2J b")
	var out strings.Builder
	if err := tb.print(&out, "csv"); err != nil {
		t.Fatal(err)
	}
	want := "number,'=loss,message\n-1,-inf,'=cmd|x\n2,0.5,\"a, \\x1b[2J b\"\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestTableFits(t *testing.T) {
	make := func() *table {
		tb := &table{header: []string{"number", "trial", "loss", "lr", "depth", "message"}, spare: []string{"depth", "lr"}}
		tb.add("1", "work-x7k2bcdf", "0.12345678901234567", "0.00012345678901234", "12345678", "")
		tb.add("2", "work-y7k2bcdf", "", "adam", "3", strings.Repeat("no memory ", 10))
		return tb
	}
	whole := make().width()
	tests := []struct {
		columns int
		left    []string
		has     string
	}{
		{whole, nil, "0.12345678901234567"},
		{whole - 1, nil, "0.12346"},
		{100, nil, "0.00012346"},
		{66, []string{"depth"}, "no memory"},
		{53, []string{"depth", "lr"}, "no memory"},
		{5, []string{"depth", "lr"}, "work-x7k2bcdf"}, // names are never cut
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.columns), func(t *testing.T) {
			tb := make()
			left := tb.fit(tt.columns)
			var out strings.Builder
			_ = tb.print(&out, "table") // a Builder takes everything
			for row := range strings.Lines(out.String()) {
				if w := lipgloss.Width(strings.TrimRight(row, "\n")); w > tt.columns && tt.columns > 40 {
					t.Errorf("%d columns: %q", w, row)
				}
			}
			if tt.columns > 66 && len(left) > 0 || tt.columns <= 66 && !slices.Equal(left, tt.left) || !strings.Contains(out.String(), tt.has) {
				t.Errorf("left out %q, want %q; got\n%s", left, tt.left, out.String())
			}
		})
	}
}

// TestExperimentsFitANarrowTerminal: of a list of experiments the names, the states and the values stay.
func TestExperimentsFitANarrowTerminal(t *testing.T) {
	list := []*tunedv1.Experiment{{
		Namespace: "default", Name: "several", State: "Running", Algorithm: "random", Counts: &tunedv1.Counts{Trials: 12},
		Infeasible: 12, Created: timestamppb.New(time.Unix(0, 0)), Tags: []string{"good so", "far"},
	}}
	tb := experimentTable(list, "table", false, false, time.Unix(3600, 0))
	tb.fit(44)
	var out strings.Builder
	_ = tb.print(&out, "table") // a Builder takes everything
	for row := range strings.Lines(out.String()) {
		if w := lipgloss.Width(strings.TrimRight(row, "\n")); w > 44 {
			t.Errorf("%d columns: %q", w, row)
		}
	}
	for _, want := range []string{"several", "Running", "12 trial"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
}

// TestSpaceFitsANarrowTerminal: of a search space all is shown, and no row is wider than the terminal.
func TestSpaceFitsANarrowTerminal(t *testing.T) {
	s := &experiment.Spec{Parameters: []experiment.ParameterSpec{
		{Name: "optimizer", ParameterType: "categorical", FeasibleSpace: experiment.FeasibleSpace{
			List: []string{"adam", "sgd-with-nesterov-momentum", "rmsprop", "adagrad", "adadelta", "adamw", "a-name-that-is-wider-than-the-smallest-of-the-terminals"},
		}},
		{
			Name: "momentum", ParameterType: "double", FeasibleSpace: experiment.FeasibleSpace{Min: "0.5", Max: "0.999", Distribution: "uniform"},
			ActiveWhen: &experiment.ActiveWhen{Parameter: "optimizer", Values: []string{"sgd-with-nesterov-momentum", "rmsprop"}},
		},
	}}
	for _, columns := range []int{0, 40, 60, 100, 400} {
		var out strings.Builder
		if err := explainSpace(&out, s, columns); err != nil {
			t.Fatal(err)
		}
		for row := range strings.Lines(out.String()) {
			if w := lipgloss.Width(strings.TrimRight(row, "\n")); columns > 0 && w > columns {
				t.Errorf("%d columns: a row of %d: %q", columns, w, row)
			}
		}
		plain := strings.NewReplacer(" ", "", "\n", "").Replace(out.String())
		for _, want := range []string{"adam,sgd-with-nesterov-momentum,rmsprop", "than-the-smallest-of-the-terminals", "0.5to0.999", "continuous", "optimizerissgd-with-nesterov-momentumorrmsprop"} {
			if !strings.Contains(plain, want) {
				t.Errorf("%d columns: no %q in\n%s", columns, want, out.String())
			}
		}
		if table := strings.Contains(out.String(), "PARAMETER"); table != (columns == 0 || columns == 400) {
			t.Errorf("%d columns: as a table: %t", columns, table)
		}
	}
}

// TestTrialsFitTheTerminal looks at a table of more parameters than the terminal of 100 columns has room for.
func TestTrialsFitTheTerminal(t *testing.T) {
	dir := writeExperiment(t)
	finish(t, dir)
	narrow := func(args ...string) (string, string) {
		c := program(t, dir, append(args, "--data-dir", "d")...)
		var stderr strings.Builder
		seen := onTerminalWith(t, c, &stderr)
		return seen, stderr.String()
	}
	for _, args := range [][]string{{"trials", "work"}, {"get"}, {"trials", "work", "--watch"}} {
		seen, _ := narrow(args...)
		for row := range strings.Lines(seen) {
			if w := lipgloss.Width(strings.TrimRight(row, "\r\n")); w > 100 {
				t.Errorf("%q: a row of %d columns: %q", args, w, row)
			}
		}
		if !strings.Contains(seen, "Succeeded") {
			t.Errorf("%q: got %q", args, seen)
		}
	}
	piped, _ := call(t, dir, exitOK, "trials", "work", "--data-dir", "d")
	digits := strings.Fields(strings.Split(piped, "\n")[1])[3]
	if len(digits) < 10 {
		t.Errorf("a table that is piped has the value %q, want all digits", digits)
	}
}

func TestDurationsHaveMilliseconds(t *testing.T) {
	for ms := range 200_000 {
		d := time.Duration(ms)*time.Millisecond + 123*time.Microsecond
		text := exact(float64(seconds(d)))
		if _, fraction, _ := strings.Cut(text, "."); len(fraction) > 3 {
			t.Fatalf("%v is written as %s", d, text)
		}
	}
}
