package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"
)

// jsonPath begins an output format that picks fields, as kubectl has it.
const jsonPath = "jsonpath="

// formatFlag adds -o with the given formats, the first being the default. A format that ends in = takes
// a text. Printed says what -o json prints, by which the keys of a jsonpath are checked; nil where there is no such format.
func formatFlag(c *cobra.Command, format *string, printed func(args []string) *shape, formats ...string) {
	shown := strings.ReplaceAll(strings.Join(formats, ", "), "=", "=TEMPLATE")
	c.Flags().StringVarP(format, "output", "o", formats[0], "output `FORMAT`: "+shown)
	previous := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		if *format == "text" && formats[0] == "table" { // as it was called once
			*format = "table"
		}
		fits := func(known string) bool {
			return *format == known || strings.HasSuffix(known, "=") && strings.HasPrefix(*format, known)
		}
		if !slices.ContainsFunc(formats, fits) {
			return usage("-o %s: %s; want one of %s", *format, unfit(c, *format), shown)
		}
		if template, ok := strings.CutPrefix(*format, jsonPath); ok {
			if err := checkPath(template, printed(args)); err != nil {
				return err
			}
		}
		if previous != nil {
			return previous(c, args)
		}
		return nil
	}
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)) // fails for unknown flags only
}

// unfit says why a command does not take an output format.
func unfit(c *cobra.Command, format string) string {
	if format == "csv" {
		return fmt.Sprintf("what %s prints is not made of rows", c.CommandPath())
	}
	return "no such output format"
}

// printAs writes a value as json or yaml, or what a jsonpath picks of it.
func printAs(w io.Writer, format string, v any) error {
	if template, ok := strings.CutPrefix(format, jsonPath); ok {
		return printPath(w, template, v)
	}
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	out := []byte(quietJSON(text.String()))
	if format == "yaml" {
		var err error
		if out, err = yaml.JSONToYAML(out); err != nil {
			return err
		}
	}
	_, err := w.Write(out)
	return err
}

// quietJSON escapes the control characters beyond those that JSON must escape, for they drive terminals too.
func quietJSON(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return r != '\n' && drives(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if r != '\n' && drives(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// treeOf is a message of the API as its JSON: what -o json prints, whose fields have no order of their own.
func treeOf(m proto.Message) (tree any, err error) {
	text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write %s as JSON: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return tree, json.Unmarshal(text, &tree)
}

// plural is a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// visible writes control characters as Go does (\n, \x1b), so that no value breaks out of its line
// or drives the terminal.
func visible(text string) string { return escape(text, drives) }

// drives reports whether a terminal obeys a character rather than show it: controls, and what turns the order
// of text about.
func drives(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// visibleLines is visible that keeps line breaks.
func visibleLines(text string) string {
	return escape(text, func(r rune) bool { return r != '\n' && drives(r) })
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

// indented writes lines two spaces in.
type indented struct{ to io.Writer }

// Write implements io.Writer for whole lines.
func (i indented) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		if strings.TrimSpace(line) != "" {
			line = "  " + line
		}
		if _, err := io.WriteString(i.to, line); err != nil {
			return 0, err
		}
	}
	return len(text), nil
}
