package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages of all commands to a folder",
		Long: `Write the manual pages of all commands, tuned.1, tuned-run.1 and so on, to a folder, which is made
if need be.`,
		Example: `  tuned man ~/.local/share/man/man1 && man tuned-run`,
		Args:    words(1, 1, "DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			if err := writePages(args[0], (&app{getenv: anybody}).root()); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			return nil
		},
	}
}

// anybody is the environment of a user whose home a page may name.
func anybody(name string) string {
	if name == "HOME" {
		return "~"
	}
	return ""
}

// writePages writes the pages of a command and of those below it.
func writePages(dir string, c *cobra.Command) error {
	for _, sub := range c.Commands() {
		if err := writePages(dir, sub); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, pageName(c)+".1"), manPage(c), 0o644) //nolint:gosec // others may read it
}

// pageName is the name of a command's page: tuned-store-backup.
func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage is a command's page in the macros of man(7). It names no day: pages of the same build are the same.
func manPage(c *cobra.Command) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH %s 1 \"\" %q \"User Commands\"\n", roffWord(strings.ToUpper(pageName(c))), "tuned "+version)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roffWord(pageName(c)), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n%s\n", synopsis(c))
	b.WriteString(".SH DESCRIPTION\n")
	paragraphs := strings.Split(strings.TrimSpace(longText(c)), "\n\n")
	b.WriteString(roff(strings.Join(paragraphs, "\n.PP\n")) + "\n")
	subs := slices.DeleteFunc(slices.Clone(c.Commands()), func(sub *cobra.Command) bool { return sub.Hidden })
	if len(subs) > 0 {
		b.WriteString(".SH COMMANDS\n")
	}
	for _, sub := range subs {
		fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s.\n", roffWord(pageName(sub)), roff(sub.Short))
	}
	c.InitDefaultHelpFlag()
	b.WriteString(".SH OPTIONS\n")
	c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) { b.WriteString(option(f)) })
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.EX\n%s\n.EE\n", strings.ReplaceAll(roff(c.Example), "\n.PP\n", "\n\n"))
	}
	if p := c.Parent(); p != nil {
		fmt.Fprintf(&b, ".SH SEE ALSO\n.BR %s (1)\n", roffWord(pageName(p)))
	}
	return b.Bytes()
}

func longText(c *cobra.Command) string {
	if c.Long == "" {
		return c.Short + "."
	}
	return c.Long
}

// variable is what stands for a word of the user's in a synopsis.
var variable = regexp.MustCompile(`[A-Z]+`)

// synopsis is how a command is typed: its name in bold, what stands for a word underlined.
func synopsis(c *cobra.Command) string {
	_, rest, _ := strings.Cut(c.Use, " ")
	if len(c.Commands()) > 0 {
		rest = "COMMAND"
	}
	rest = variable.ReplaceAllString(roff(rest), `\fI$0\fR`)
	return fmt.Sprintf(`\fB%s\fR [\fIOPTION\fR]... %s`, roffWord(c.CommandPath()), rest)
}

// option is the paragraph of a flag: -o, --output=FORMAT and what it does.
func option(f *pflag.Flag) string {
	name, text := pflag.UnquoteUsage(f)
	tag := `\fB` + roffWord("--"+f.Name) + `\fR`
	if f.Shorthand != "" {
		tag = `\fB` + roffWord("-"+f.Shorthand) + `\fR, ` + tag
	}
	if name != "" {
		tag += `=\fI` + roff(strings.ToUpper(name)) + `\fR`
	}
	if !slices.Contains([]string{"", "0", "0s", "[]", "false"}, f.DefValue) {
		text += " (default " + f.DefValue + ")"
	}
	return fmt.Sprintf(".TP\n%s\n%s\n", tag, roff(strings.ToUpper(text[:1])+text[1:]+"."))
}

var (
	dashes   = regexp.MustCompile(`(^|[\s"'(\[{=|])(--?)`)
	controls = regexp.MustCompile(`(?m)^(['.])`)
)

// roff is text in the language of manual pages: what begins an option is a minus, not a hyphen, and no line is a macro but
// the .PP between paragraphs.
func roff(text string) string {
	text = strings.ReplaceAll(text, `\`, `\e`)
	text = dashes.ReplaceAllStringFunc(text, func(found string) string { return strings.ReplaceAll(found, "-", `\-`) })
	text = controls.ReplaceAllString(text, `\&$1`)
	return strings.ReplaceAll(text, "\n\\&.PP\n", "\n.PP\n")
}

// roffWord is a word that may be copied from the page: its hyphens are minuses.
func roffWord(text string) string { return strings.ReplaceAll(text, "-", `\-`) }
