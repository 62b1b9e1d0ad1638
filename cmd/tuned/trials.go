package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

func (a *app) trialsCommand() *cobra.Command {
	var p place
	var format string
	c := &cobra.Command{
		Use:               "trials NAME",
		Short:             "List the trials of an experiment",
		Args:              words(1, 1, "NAME"),
		ValidArgsFunction: p.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			w, err := p.whole(c.Context(), args[0])
			if err != nil {
				return fmt.Errorf("list trials: %w", err)
			}
			return a.printTrials(w.Experiment, w.trials, format)
		},
	}
	p.flags(c, a.getenv)
	formatFlag(c, &format, "table", "json", "yaml", "csv", "name", jsonPath)
	return c
}

func (a *app) printTrials(e *experiment.Experiment, trials []experiment.Trial, format string) error {
	records := make([]trialRecord, len(trials))
	for i := range trials {
		records[i] = newTrialRecord(e.Key(), &trials[i], &e.Spec)
	}
	if several(&e.Spec) {
		tally := experiment.NewTally(&e.Spec, trials)
		markFront(records, tally.Front())
	}
	switch format {
	case "table", "csv":
	case "name":
		for i := range records {
			fmt.Fprintln(a.stdout, records[i].Trial)
		}
		return nil
	default:
		return printAs(a.stdout, format, records)
	}
	metrics := metricNames(e.Spec.Objective)
	t := table{header: append([]string{"number", "trial", "state"}, metrics...)}
	for _, spec := range e.Spec.Parameters {
		t.header = append(t.header, spec.Name)
	}
	if len(e.Spec.Constraints()) > 0 {
		t.header = append(t.header, "feasible")
	}
	if several(&e.Spec) {
		t.header = append(t.header, "front")
	}
	t.header = append(t.header, "duration", "message")
	for i := range records {
		t.add(trialCells(&records[i], metrics, &e.Spec, format)...)
	}
	return t.print(a.stdout, format)
}

func trialCells(r *trialRecord, metrics []string, s *experiment.Spec, format string) []string {
	cells := []string{fmt.Sprint(r.Number), r.Trial, string(r.State)}
	for _, m := range metrics {
		cells = append(cells, metricCell(r, m))
	}
	for _, spec := range s.Parameters {
		cells = append(cells, r.Parameters[spec.Name])
	}
	if len(s.Constraints()) > 0 {
		cells = append(cells, yesNo(r.Feasible))
	}
	if several(s) {
		cells = append(cells, yesNo(r.Front))
	}
	took, message := "", r.Message
	if finite(float64(r.Seconds)) {
		took = clock(time.Duration(float64(r.Seconds) * float64(time.Second)))
	}
	switch {
	case format == "csv":
		took = strings.TrimPrefix(exact(float64(r.Seconds)), "NaN")
	case !failed(r.State) && r.Reason != tuner.ReasonDiverged:
		message = ""
	default:
		message = firstLine(message)
	}
	return append(cells, took, message)
}

// metricCell is a metric's value, NaN only for a trial that came to its end with it.
func metricCell(r *trialRecord, metric string) string {
	v := float64(r.Metrics[metric])
	if v != v && r.State != experiment.TrialSucceeded {
		return ""
	}
	return exact(v)
}
