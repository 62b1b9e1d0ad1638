package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// formatFlag adds -o with the given formats, the first being the default.
func formatFlag(c *cobra.Command, format *string, formats ...string) {
	c.Flags().StringVarP(format, "output", "o", formats[0], "output format: "+strings.Join(formats, ", "))
	previous := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		if !slices.Contains(formats, *format) {
			return usage("-o %s: no such output format; want one of %s", *format, strings.Join(formats, ", "))
		}
		if previous != nil {
			return previous(c, args)
		}
		return nil
	}
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)) // fails for unknown flags only
}

// printAs writes a value as json or yaml.
func printAs(w io.Writer, format string, v any) error {
	if format == "yaml" {
		text, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table is rows of text under a header.
type table struct {
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table as aligned columns or as csv.
func (t *table) print(w io.Writer, format string) error {
	if format == "csv" {
		c := csv.NewWriter(w)
		for _, row := range t.rows {
			for j := range row {
				row[j] = visibleLines(row[j])
			}
		}
		return c.WriteAll(append([][]string{t.header}, t.rows...))
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, row := range append([][]string{t.header}, t.rows...) {
		cells := make([]string, len(row))
		for j, cell := range row {
			cells[j] = visible(cell)
		}
		if i == 0 {
			cells = strings.Split(strings.ToUpper(strings.Join(t.header, "\t")), "\t")
		}
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	return tw.Flush()
}

// visible writes control characters as Go does (\n, \x1b), so that no value breaks out of its line
// or drives the terminal.
func visible(text string) string { return escape(text, unicode.IsControl) }

// visibleLines is visible that keeps line breaks.
func visibleLines(text string) string {
	return escape(text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) })
}

func escape(text string, control func(rune) bool) string {
	if strings.IndexFunc(text, control) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if control(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// indent writes the table as columns, two spaces in.
func (t *table) indent(w io.Writer) {
	var b strings.Builder
	_ = t.print(&b, "table") // a Builder takes everything
	for line := range strings.Lines(b.String()) {
		fmt.Fprint(w, "  "+strings.TrimRight(line, " \n")+"\n")
	}
}
