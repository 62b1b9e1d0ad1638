package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuned-hpo/tuned/pkg/exchange/report"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

func (a *app) reportCommand() *cobra.Command {
	var p place
	var file string
	c := &cobra.Command{
		Use:   "report NAME",
		Short: "Write a page about an experiment, to mail or to keep",
		Long: `Write a page about an experiment, to mail or to keep: one HTML file that needs no script and no
network. It has the best trial, the history, what the algorithm has learned of each parameter, failures
with their reasons, the trials and the experiment as YAML.`,
		Args:              words(1, 1, "NAME"),
		ValidArgsFunction: p.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			return doing("report on "+args[0], a.report(c.Context(), &p, args[0], file))
		},
	}
	p.flags(c, a.getenv)
	c.Flags().StringVarP(&file, "file", "f", "", "`FILE` to write, in place of standard output")
	return c
}

func (a *app) report(ctx context.Context, p *place, name, file string) error {
	if a.isTerminal() && file == "" {
		return usage("it is a page for a browser; give -f %s.html", name)
	}
	var in report.Input
	err := p.reading(ctx, func(c *client) (err error) {
		in, err = c.report(ctx, p.key(name), time.Now())
		return err
	})
	if err != nil {
		return err
	}
	return a.writeTo(file, sharedFile, func(w io.Writer) error { return report.Write(w, in) })
}

// report returns what a page about an experiment shows. Secrets are masked: it is made of what the API answers.
func (c *client) report(ctx context.Context, key experiment.Key, now time.Time) (in report.Input, err error) {
	w, err := c.whole(ctx, key)
	if err != nil {
		return in, err
	}
	in = report.Input{Experiment: w.Experiment, Trials: w.trials, Now: now}
	model, err := c.model(ctx, key)
	switch {
	case errors.Is(err, errEnded) || ctx.Err() != nil:
		return in, err
	case err != nil: // an algorithm without one, or too few trials
		in.NoModel = "There is no model to show: " + plainText(err) + "."
	default:
		in.Model = &model
	}
	return in, nil
}
