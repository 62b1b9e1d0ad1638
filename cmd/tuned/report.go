package main

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tuned-hpo/tuned/pkg/exchange/report"
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
	if out, ok := a.stdout.(*os.File); ok && file == "" && term.IsTerminal(int(out.Fd())) {
		return usage("it is a page for a browser; give -f %s.html", name)
	}
	w, err := p.whole(ctx, name)
	if err != nil {
		return err
	}
	in := report.Input{Experiment: w.Experiment, Trials: w.trials, Now: time.Now()}
	model, err := p.model(ctx, name)
	switch {
	case errors.Is(err, errEnded) || ctx.Err() != nil:
		return err
	case err != nil: // an algorithm without one, or too few trials
		in.NoModel = "There is no model to show: " + plainText(err) + "."
	default:
		in.Model = &model
	}
	return a.writeTo(file, func(w io.Writer) error { return report.Write(w, in) })
}
