package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// experimentRecord is one experiment as programs get it from the list command.
type experimentRecord struct {
	Namespace  string                   `json:"namespace"`
	Name       string                   `json:"name"`
	State      experiment.ConditionType `json:"state"`
	Algorithm  string                   `json:"algorithm"`
	Trials     int32                    `json:"trials"`
	Budget     int                      `json:"budget"` // 0 means unlimited
	BestTrial  string                   `json:"bestTrial"`
	BestValue  string                   `json:"bestValue"`            // of the objective, as text; "" while there is none
	Front      int32                    `json:"front,omitempty"`      // trials on the Pareto front, with several objectives
	Infeasible int32                    `json:"infeasible,omitempty"` // trials that do not keep the constraints
	Created    *time.Time               `json:"created"`
}

func (a *app) listCommand() *cobra.Command {
	var p place
	var format string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the experiments of a data directory",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.list(c, &p, format)
		},
	}
	p.dataFlag(c, a.getenv)
	formatFlag(c, &format, "table", "json", "yaml", "csv")
	return c
}

func (a *app) list(c *cobra.Command, p *place, format string) error {
	var experiments []*experiment.Experiment
	err := p.reading(c.Context(), func(from archive) (err error) {
		experiments, err = from.List(c.Context())
		return err
	})
	if err != nil {
		return fmt.Errorf("list experiments: %w", err)
	}
	records := make([]experimentRecord, len(experiments))
	for i, e := range experiments {
		records[i] = newExperimentRecord(e)
	}
	if format == "json" || format == "yaml" {
		return printAs(a.stdout, format, records)
	}
	t := table{header: []string{"namespace", "name", "state", "algorithm", "trials", "budget", "best", "value"}}
	for _, r := range records {
		budget := fmt.Sprint(r.Budget)
		if r.Budget == 0 {
			budget = "unlimited"
		}
		value := r.BestValue
		switch {
		case format == "csv":
		case r.Front > 0:
			value += fmt.Sprintf(" (front of %d)", r.Front)
		case r.Infeasible > 0 && r.BestTrial == "":
			value = noneFeasible(int(r.Infeasible))
		}
		t.add(r.Namespace, r.Name, string(r.State), r.Algorithm, fmt.Sprint(r.Trials), budget, r.BestTrial, value)
	}
	return t.print(a.stdout, format)
}

func newExperimentRecord(e *experiment.Experiment) experimentRecord {
	r := experimentRecord{
		Namespace: e.Metadata.Namespace, Name: e.Metadata.Name, State: e.Status.State(),
		Trials: e.Status.Trials, Budget: count(e.Spec.MaxTrialCount, 0), Created: e.Metadata.Created,
	}
	if e.Spec.Algorithm != nil {
		r.Algorithm = e.Spec.Algorithm.AlgorithmName
	}
	if x := e.Status.Tuned; x != nil {
		r.Infeasible = x.TrialsInfeasible
		if several(&e.Spec) {
			r.Front = x.TrialsOnFront
		}
	}
	if best := e.Status.CurrentOptimalTrial; best != nil {
		r.BestTrial = best.BestTrialName
		if v, ok := best.Observation.Value(e.Spec.Objective.ObjectiveMetricName, e.Spec.Objective); ok {
			r.BestValue = strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
	return r
}
