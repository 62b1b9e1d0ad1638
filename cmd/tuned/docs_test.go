package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestDocumentedFlags compares docs/cli.md with the program: a section "## tuned COMMAND" per
// command, with a table row "| `--flag ...` |" per flag.
func TestDocumentedFlags(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	a := &app{getenv: noEnv}
	want := map[string][]string{}
	root := a.root()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		want[c.Name()] = flagNames(c)
		if c.Name() == "completion" {
			continue // its commands are the shells
		}
		for _, sub := range c.Commands() {
			want[c.Name()+" "+sub.Name()] = flagNames(sub)
		}
	}
	if diff := cmp.Diff(want, documented(string(text))); diff != "" {
		t.Errorf("docs/cli.md (-program +documented):\n%s", diff)
	}
}

func flagNames(c *cobra.Command) []string {
	names := []string{}
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	slices.Sort(names)
	return names
}

var (
	section  = regexp.MustCompile("(?m)^##+ tuned ([a-z]+(?: [a-z]+)?)$")
	headings = regexp.MustCompile("\n###? ")
	flagRow  = regexp.MustCompile("(?m)^\\| `(?:-[a-zA-Z], )?--([a-z-]+)")
)

func documented(text string) map[string][]string {
	out := map[string][]string{}
	for _, part := range headings.Split(text, -1) {
		name := section.FindStringSubmatch("## " + part)
		if name == nil {
			continue
		}
		flags := []string{}
		for _, row := range flagRow.FindAllStringSubmatch(part, -1) {
			flags = append(flags, row[1])
		}
		slices.Sort(flags)
		out[name[1]] = flags
	}
	return out
}

// TestNoPlaceholders: no figure that was to be filled in is left as @NAME@.
func TestNoPlaceholders(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	placeholder := regexp.MustCompile(`@[A-Z][A-Z0-9_]*@`)
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if left := placeholder.FindAllString(string(text), -1); len(left) > 0 {
			t.Errorf("%s: %q is left", file, left)
		}
	}
}
