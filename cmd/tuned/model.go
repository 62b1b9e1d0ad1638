package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

func (a *app) modelCommand() *cobra.Command {
	var p place
	var format string
	c := &cobra.Command{
		Use:   "model NAME",
		Short: "Print what an experiment's algorithm has learned",
		Long: `Print what an experiment's algorithm has learned from its trials: how much each parameter
matters to each metric, how well trials left out are predicted, and what is expected along
each parameter while the others stay as in the best trial, or one of the front. Of a metric
of which it predicts trials no better than by chance, that is said instead.`,
		Args:              words(1, 1, "NAME"),
		ValidArgsFunction: p.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := p.model(c.Context(), args[0])
			if err != nil {
				return fmt.Errorf("look at the model: %w", err)
			}
			if format != "table" {
				return printAs(a.stdout, format, m)
			}
			printModel(a.text(), &m)
			return nil
		},
	}
	p.flags(c, a.getenv)
	formatFlag(c, &format, printing(shapeOf[tuner.Model]()), "table", "json", "yaml", jsonPath)
	return c
}

// model returns an experiment's model.
func (p *place) model(ctx context.Context, name string) (m tuner.Model, err error) {
	err = p.reading(ctx, func(c *client) (err error) {
		m, err = c.model(ctx, p.key(name))
		return err
	})
	return m, err
}

// model returns an experiment's model.
func (c *client) model(ctx context.Context, key experiment.Key) (m tuner.Model, err error) {
	response, err := c.GetModel(ctx, &tunedv1.GetModelRequest{Namespace: key.Namespace, Experiment: key.Name})
	if err != nil {
		return m, c.about(ctx, key, err)
	}
	text, err := protojson.Marshal(response.GetModel())
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}

func printModel(w io.Writer, m *tuner.Model) {
	fmt.Fprintf(w, "%s: what %s makes of %s\n", m.Experiment, m.Algorithm, plural(m.Trials, "trial"))
	for i := range m.Outputs {
		if o := &m.Outputs[i]; !o.LeftOut.Predicts {
			fmt.Fprintf(w, "%s: %s\n", outputTitle(o), predictsNothing(&o.LeftOut))
		}
	}
	for i := range m.Outputs {
		o := &m.Outputs[i]
		heading(w, outputTitle(o))
		if o.LeftOut.Predicts {
			printImportance(w, o)
		}
		printLeftOut(w, &o.LeftOut)
		printSlices(w, o)
	}
	if len(m.At) > 0 {
		fmt.Fprintf(w, "\nAlong each parameter the others are as in %s\n", visible(flags(m.At)))
	}
}

func outputTitle(o *tuner.ModelOutput) string {
	switch {
	case o.Max != nil:
		return fmt.Sprintf("%s, which must not exceed %s", o.Metric, exact(*o.Max))
	case o.Min != nil:
		return fmt.Sprintf("%s, which must not fall below %s", o.Metric, exact(*o.Min))
	}
	return fmt.Sprintf("%s, to %s", o.Metric, o.Type)
}

// predictsNothing is the sentence on a model that has shown nothing yet.
func predictsNothing(l *tuner.LeftOut) string {
	why := "its trials are too few or all alike"
	if finite(float64(l.Correlation)) {
		why = fmt.Sprintf("rank correlation %.2f with trials left out, and chance alone gives up to %.2f", float64(l.Correlation), min(1, float64(l.Chance)))
	}
	return "predicts nothing yet (" + why + "): importances are left out and curves are guesses; run more trials"
}

func printImportance(w io.Writer, o *tuner.ModelOutput) {
	const width = 30 // columns of a bar
	t := table{header: []string{"parameter", "importance", "by itself", ""}}
	for _, p := range o.Parameters {
		bar := strings.Repeat("█", int(math.Round(share(p.Total)*width)))
		t.add(p.Name, percent(p.Total), percent(p.Alone), bar)
	}
	t.indent(w)
}

// share is a value between 0 and 1; 0 when it is not known.
func share(v tuner.Value) float64 {
	if !(v > 0) {
		return 0
	}
	return min(1, float64(v))
}

func percent(v tuner.Value) string {
	if !finite(float64(v)) {
		return "-"
	}
	return fmt.Sprintf("%.0f%%", 100*float64(v))
}

func printLeftOut(w io.Writer, l *tuner.LeftOut) {
	if len(l.Trials) == 0 {
		return
	}
	fmt.Fprintf(w, "  left out one at a time, %s of %d trials are within the range expected 95%% of the time", percent(l.Within), len(l.Trials))
	if finite(float64(l.Correlation)) {
		fmt.Fprintf(w, "; rank correlation %.2f", float64(l.Correlation))
	}
	fmt.Fprintln(w)
}

// printSlices plots what is expected along each parameter, one row per value. All parameters of an
// output share an axis, so that what matters little looks flat; each output has its own.
func printSlices(w io.Writer, o *tuner.ModelOutput) {
	const width, rows = 50, 11
	low, high := math.Inf(1), math.Inf(-1)
	widest := 0 // name or value, in runes
	for _, p := range o.Parameters {
		if len(p.Slice) > 0 {
			widest = max(widest, utf8.RuneCountInString(p.Name))
		}
		for _, i := range spaced(len(p.Slice), rows) {
			x := &p.Slice[i]
			widest = max(widest, utf8.RuneCountInString(shortText(x.Value)))
			for _, v := range []tuner.Value{x.Mean, x.Low, x.High} {
				if finite(float64(v)) {
					low, high = min(low, float64(v)), max(high, float64(v))
				}
			}
		}
	}
	left, right := short(low), short(high)
	if low > high {
		left, right = "", "" // nothing is known
	}
	axis := left + strings.Repeat(" ", max(1, width-len(left)-len(right))) + right
	for _, p := range o.Parameters {
		if len(p.Slice) == 0 {
			continue
		}
		t := table{header: []string{fmt.Sprintf("%-*s", widest, p.Name), axis, o.Metric}}
		for _, i := range spaced(len(p.Slice), rows) {
			x := &p.Slice[i]
			t.add(shortText(x.Value), plotBand(x.Band, low, high, width), short(float64(x.Mean)))
		}
		fmt.Fprintln(w)
		t.indent(w)
	}
}

// shortText is a value's text, of a number with many digits its first.
func shortText(text string) string {
	if v, err := strconv.ParseFloat(text, 64); err == nil && len(text) > 8 {
		return short(v)
	}
	return text
}

// spaced returns at most so many of n positions, evenly spaced, both ends among them.
func spaced(n, most int) []int {
	out := make([]int, min(n, most))
	for k := range out {
		out[k] = k
		if n > most {
			out[k] = (k*(n-1) + (most-1)/2) / (most - 1)
		}
	}
	return out
}

// plotBand draws a range as a bar with its middle marked, low at the left and high at the right.
func plotBand(b tuner.Band, low, high float64, width int) string {
	column := func(v tuner.Value) int {
		switch {
		case !finite(float64(v)):
			return -1
		case high <= low:
			return width / 2
		}
		return int(math.Round((float64(v)/2 - low/2) / (high/2 - low/2) * float64(width-1)))
	}
	row := []rune(strings.Repeat(" ", width))
	from, to, middle := column(b.Low), column(b.High), column(b.Mean)
	for k := max(0, from); k <= to; k++ {
		row[k] = '░'
	}
	if middle >= 0 {
		row[middle] = '●'
	}
	return string(row)
}
