package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

func (a *app) bestCommand() *cobra.Command {
	var p place
	var format string
	c := &cobra.Command{
		Use:   "best NAME",
		Short: "Print the best trial of an experiment",
		Long: `Print the best trial of an experiment: its metrics and its parameters.
-o flags prints the parameters alone, as --name=value, for use in another command.`,
		Args: words(1, 1, "NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.best(c, &p, args[0], format)
		},
	}
	p.flags(c, a.getenv)
	formatFlag(c, &format, "text", "json", "yaml", "flags")
	return c
}

func (a *app) best(c *cobra.Command, p *place, name, format string) error {
	e, trials, err := p.read(c.Context(), name)
	if err != nil {
		return fmt.Errorf("find best trial: %w", err)
	}
	t, ok := experiment.Best(trials, e.Spec.Objective)
	if !ok {
		return fmt.Errorf("find best trial: no trial of %s has a value of %s yet", e.Key(), e.Spec.Objective.ObjectiveMetricName)
	}
	b := newBestTrial(&t, e.Spec.Objective)
	b.Log = logsOf(e, p.dataDir).file(&t)
	switch format {
	case "json", "yaml":
		return printAs(a.stdout, format, b)
	case "flags":
		fmt.Fprintln(a.stdout, b.Flags)
		return nil
	}
	fmt.Fprintf(a.stdout, "Best trial:  %s\nMetrics:     %s\nParameters:  %s\n", b.Trial, b.metricText(), visible(b.Flags))
	if b.Log != "" {
		fmt.Fprintf(a.stdout, "Log:         %s\n", b.Log)
	}
	return nil
}
