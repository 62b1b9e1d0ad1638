package main

import (
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// TestNothingDrivesTheTerminal: what clients wrote is shown, not obeyed.
func TestNothingDrivesTheTerminal(t *testing.T) {
	hostile := "a\x1b[2J\x1b]0;pwn\x07\u202e\u2066\u009bb\r"
	for name, print := range map[string]func(*strings.Builder){
		"failures": func(b *strings.Builder) {
			printFailures(b, []failure{{State: experiment.TrialFailed, Reason: hostile, Message: hostile, Trials: []string{"x"}, Log: hostile}})
		},
		"rows": func(b *strings.Builder) { printRows(b, [][2]string{{"Note", hostile}}) },
		"table": func(b *strings.Builder) {
			_ = (&table{header: []string{"a"}, rows: [][]string{{hostile}}}).print(b, "table")
		},
		"csv": func(b *strings.Builder) {
			_ = (&table{header: []string{"a"}, rows: [][]string{{hostile}}}).print(b, "csv")
		},
		"json":     func(b *strings.Builder) { _ = printAs(b, "json", hostile) },
		"terminal": func(b *strings.Builder) { _, _ = (&quiet{to: b}).Write([]byte(hostile)) },
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			print(&b)
			if got := b.String(); strings.ContainsFunc(got, func(r rune) bool { return r != '\n' && drives(r) }) || !strings.Contains(got, "pwn") {
				t.Errorf("printed %q", got)
			}
		})
	}
}
