package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/exchange"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

func (a *app) exportCommand() *cobra.Command {
	var p place
	var format, file string
	c := &cobra.Command{
		Use:   "export NAME",
		Short: "Write an experiment's trials for other tools",
		Long: `Write an experiment's trials for other tools: as csv or parquet for spreadsheets and data
frames, as json with everything that is known of it, or as optuna-journal, a file that Optuna
and its dashboard open. "tuned import" reads all but parquet.`,
		Args:              words(1, 1, "NAME"),
		ValidArgsFunction: p.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			return doing("export "+args[0], a.export(c.Context(), &p, args[0], format, file))
		},
	}
	p.flags(c, a.getenv)
	formatFlag(c, &format, nil, exchange.Formats...)
	check := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		format = exchange.Named(format)
		return check(c, args)
	}
	c.Flags().StringVarP(&file, "file", "f", "", "`FILE` to write, in place of standard output")
	return c
}

func (a *app) export(ctx context.Context, p *place, name, format, file string) error {
	if a.isTerminal() && file == "" && format == exchange.Parquet {
		return usage("%s is no text; give -f FILE, or send it elsewhere", format)
	}
	return p.reading(ctx, func(c *client) error {
		s, err := c.study(ctx, p.key(name), format)
		if err != nil {
			return err
		}
		begun := false
		err = a.writeTo(file, sharedFile, func(w io.Writer) error {
			return exchange.Write(beginning{w, &begun}, format, s)
		})
		if replaced := file != "" && file != "-"; begun && !replaced && errors.Is(err, errEnded) {
			return errors.New(err.Error()) // it cannot be written again
		}
		return err
	})
}

// beginning notes that something was written.
type beginning struct {
	to    io.Writer
	begun *bool
}

// Write implements io.Writer.
func (b beginning) Write(part []byte) (int, error) {
	*b.begun = true
	return b.to.Write(part)
}

// study returns an experiment with what a format has of it: its trials and, where there are curves, their
// measurements, which are asked for while it is written. Secrets are masked: it is made of what the API answers.
func (c *client) study(ctx context.Context, key experiment.Key, format string) (*exchange.Study, error) {
	w, err := c.whole(ctx, key)
	if err != nil {
		return nil, err
	}
	s := &exchange.Study{Experiment: w.Experiment, Trials: w.trials}
	s.Experiment.Note = experiment.Note{Text: w.message.GetNote(), Tags: w.message.GetTags()}
	if exchange.Curves(format) {
		s.Measure = func(t *experiment.Trial) ([]experiment.Measurement, error) {
			all, err := c.measurements(ctx, key, t)
			if err != nil {
				return nil, fmt.Errorf("read measurements of %s: %w", t.Name, err)
			}
			return all, nil
		}
	}
	return s, nil
}

// measurements returns those of a trial's last attempt, in the order of time.
func (c *client) measurements(ctx context.Context, key experiment.Key, t *experiment.Trial) (all []experiment.Measurement, err error) {
	request := &tunedv1.ListMeasurementsRequest{Namespace: key.Namespace, Experiment: key.Name, Trial: t.Name, PageSize: 10000}
	for {
		response, err := c.ListMeasurements(ctx, request)
		if err != nil {
			return nil, rpcError(err)
		}
		for _, m := range response.GetMeasurements() {
			all = append(all, experiment.Measurement{
				Seq: m.GetSeq(), Time: instant(m.GetTime()), Step: m.GetStep(), Metric: m.GetMetric(),
				Text: m.GetText(), Value: experiment.ParseValue(m.GetText()),
			})
		}
		if request.PageToken = response.GetNextPageToken(); request.GetPageToken() == "" {
			break
		}
	}
	slices.SortStableFunc(all, func(x, y experiment.Measurement) int {
		return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.Step, y.Step))
	})
	return all, nil
}
