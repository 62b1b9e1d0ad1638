package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestManualPages: a page per command, with a paragraph per flag, and no macros but those that pages have.
func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	call(t, dir, exitOK, "man", "pages")
	macros := []string{".TH", ".SH", ".PP", ".TP", ".BR", ".EX", ".EE"}
	macro := regexp.MustCompile(`(?m)^['.]\S*`)
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		text, err := os.ReadFile(filepath.Join(dir, "pages", pageName(c)+".1"))
		if err != nil {
			t.Fatal(err)
		}
		page := string(text)
		if strings.Contains(page, "/nowhere") { // the home of who wrote it
			t.Errorf("%s names a folder of whoever wrote it", pageName(c))
		}
		for _, m := range macro.FindAllString(page, -1) {
			if !slices.Contains(macros, m) {
				t.Errorf("%s has a line that begins with %q", pageName(c), m)
			}
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(page, `\fB`+roffWord("--"+f.Name)+`\fR`) {
				t.Errorf("%s says nothing of --%s", pageName(c), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			if !strings.Contains(page, "\n.TP\n.BR "+roffWord(pageName(sub))+" (1)\n") {
				t.Errorf("%s says nothing of %s", pageName(c), pageName(sub))
			}
			check(sub)
		}
	}
	check((&app{getenv: noEnv}).root())
}

// TestManualPage is the page of a command with all that a page can have.
func TestManualPage(t *testing.T) {
	c := &cobra.Command{
		Use: "cut FILE [-- WORD...]", Short: "Cut a file", Example: "  cut 'a\\n' --deep",
		Long: "Cut a file at\n.every dot with --deep, -d.\n\nAnd 'again.", Run: func(*cobra.Command, []string) {},
	}
	c.Flags().BoolP("deep", "d", false, "as far as `it` goes")
	c.Flags().String("out-file", "x.txt", "`FILE` to write")
	c.Flags().Duration("most", 0, "longest time")
	want := `.TH CUT 1 "" "tuned devel" "User Commands"
.SH NAME
cut \- Cut a file
.SH SYNOPSIS
\fBcut\fR [\fIOPTION\fR]... \fIFILE\fR [\-\- \fIWORD\fR...]
.SH DESCRIPTION
Cut a file at
\&.every dot with \-\-deep, \-d.
.PP
And 'again.
.SH OPTIONS
.TP
\fB\-d\fR, \fB\-\-deep\fR=\fIIT\fR
As far as it goes.
.TP
\fB\-h\fR, \fB\-\-help\fR
Help for cut.
.TP
\fB\-\-most\fR=\fIDURATION\fR
Longest time.
.TP
\fB\-\-out\-file\fR=\fIFILE\fR
FILE to write (default x.txt).
.SH EXAMPLES
.EX
  cut 'a\en' \-\-deep
.EE
`
	if got := string(manPage(c)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
