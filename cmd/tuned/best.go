package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// bestAnswer is what tuned best prints for programs.
type bestAnswer struct {
	*bestTrial
	Front []bestTrial `json:"front,omitempty"`
	Kept  []kept      `json:"constraints,omitempty"`
}

func (a *app) bestCommand() *cobra.Command {
	var p place
	var format string
	c := &cobra.Command{
		Use:   "best NAME",
		Short: "Print the best trial of an experiment",
		Long: `Print the best trial of an experiment: its metrics and its parameters. With several
objectives it is the Pareto front, a table of the trials that none beats in all of them.
-o flags prints the parameters alone, as --name=value, for use in another command; with
several objectives those of the trial that is the best by spec.objective.`,
		Args:              words(1, 1, "NAME"),
		ValidArgsFunction: p.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			return a.best(c, &p, args[0], format)
		},
	}
	p.flags(c, a.getenv)
	formatFlag(c, &format, printing(shapeOf[bestAnswer]()), "table", "json", "yaml", "csv", "name", "flags", jsonPath)
	return c
}

func (a *app) best(c *cobra.Command, p *place, name, format string) error {
	w, err := p.whole(c.Context(), name)
	if err != nil {
		return fmt.Errorf("find best trial: %w", err)
	}
	e := w.Experiment
	var files logs // none: those of a daemon elsewhere are not in this machine's data directory
	if p.address() == "" {
		files = logsOf(e, p.dataDir)
	}
	best := newChosen(e, w.trials, files)
	switch {
	case best.Best == nil && infeasible(best.Kept):
		return fmt.Errorf("find best trial: no trial of %s is feasible yet: %s", e.Key(), keptText(best.Kept))
	case best.Best == nil:
		return fmt.Errorf("find best trial: no trial of %s has a usable value of %s yet", e.Key(), e.Spec.Objective.ObjectiveMetricName)
	}
	switch format {
	case "table":
		a.printBest(p, e, &best)
		return nil
	case "csv", "name":
		return a.printTrials(best.list(&w), format)
	case "flags":
		fmt.Fprintln(a.stdout, best.Best.Flags)
		return nil
	}
	return printAs(a.stdout, format, bestAnswer{best.Best, best.Front, best.Kept})
}

// list is the best trial, or those on the front, as tuned trials lists them.
func (c *chosen) list(w *whole) *trialList {
	l := newTrialList(*w, nil)
	l.records = slices.DeleteFunc(l.records, func(r trialRecord) bool {
		on := slices.ContainsFunc(c.Front, func(b bestTrial) bool { return b.Number == r.Number })
		return !on && (c.Front != nil || c.Best.Number != r.Number)
	})
	return &l
}

// printBest writes what was found for people, and where the log of the best trial is.
func (a *app) printBest(p *place, e *experiment.Experiment, best *chosen) {
	best.columns = a.columns()
	best.print(a.stdout)
	switch {
	case best.Front != nil || e.External():
	case best.Best.Log != "":
		fmt.Fprintf(a.stdout, "Log:         %s\n", best.Best.Log)
	case p.address() != "":
		fmt.Fprintf(a.stdout, "Log:         %s\n", p.hintOn(e.Key(), "logs", fmt.Sprint(best.Best.Number)))
	}
}
