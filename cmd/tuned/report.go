package main

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
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
network. It has the best trial, the history, the learning curves of trials, what the algorithm has
learned of each parameter, failures with their reasons, the trials and the experiment as YAML.`,
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

// learningCurves returns what the trials of a report have reported of the objective.
func (c *client) learningCurves(ctx context.Context, key experiment.Key, in *report.Input) (out []report.Curve, err error) {
	metric := in.Experiment.Spec.Objective.ObjectiveMetricName
	for _, t := range report.Curved(&in.Experiment.Spec, in.Trials) {
		r, err := c.GetCurves(ctx, &tunedv1.GetCurvesRequest{
			Namespace: key.Namespace, Experiment: key.Name, Trial: t.Name, Metric: metric, MaxPoints: report.CurvePoints,
		})
		if err != nil {
			return nil, c.about(ctx, key, err)
		}
		curve := report.Curve{Number: t.Number}
		for _, drawn := range r.GetCurves() {
			curve.Points = append(curve.Points, pointsOf(drawn)...)
		}
		out = append(out, curve)
	}
	return out, nil
}

// pointsOf returns the points of a curve. Where the program gave no steps a step is the number of the report, from 1; of
// a curve that was thinned out it is taken from the place in the sequence of all metrics.
func pointsOf(c *tunedv1.Curve) (out []report.Point) {
	points := c.GetPoints()
	stepless := !slices.ContainsFunc(points, func(p *tunedv1.Point) bool { return p.GetStep() != 0 })
	for _, p := range points {
		step := p.GetStep()
		if first, last := points[0].GetSeq(), points[len(points)-1].GetSeq(); stepless && last > first {
			share := float64(p.GetSeq()-first) / float64(last-first)
			step = 1 + int64(math.Round(share*float64(c.GetTotal()-1)))
		}
		out = append(out, report.Point{Step: step, Value: p.GetValue()})
	}
	return out
}

// report returns what a page about an experiment shows. Secrets are masked: it is made of what the API answers.
func (c *client) report(ctx context.Context, key experiment.Key, now time.Time) (report.Input, error) {
	in := report.Input{Now: now}
	if err := c.reportModel(ctx, key, &in); err != nil {
		return in, err
	}
	return in, c.reportRest(ctx, key, &in)
}

// reportModel adds the model of an experiment, or why there is none. It may take a while.
func (c *client) reportModel(ctx context.Context, key experiment.Key, in *report.Input) error {
	model, err := c.model(ctx, key)
	switch {
	case errors.Is(err, errEnded) || ctx.Err() != nil:
		return err
	case err != nil: // an algorithm without one, or too few trials
		in.NoModel = "There is no model to show: " + plainText(err) + "."
	default:
		in.Model = &model
	}
	return nil
}

// reportRest adds all but the model.
func (c *client) reportRest(ctx context.Context, key experiment.Key, in *report.Input) error {
	w, err := c.whole(ctx, key)
	if err != nil {
		return err
	}
	w.Note = experiment.Note{Text: w.message.GetNote(), Tags: w.message.GetTags()}
	in.Experiment, in.Trials = w.Experiment, w.trials
	in.Curves, err = c.learningCurves(ctx, key, in)
	return err
}
