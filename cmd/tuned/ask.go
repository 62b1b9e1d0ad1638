package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// asked is the answer to ask, as programs get it.
type asked struct {
	Trials []askedTrial `json:"trials"`
	Done   bool         `json:"done"` // the experiment has ended: no trial will come any more
}

type askedTrial struct {
	Trial      string            `json:"trial"`
	Number     uint64            `json:"number"`
	Parent     uint64            `json:"parent,omitempty"` // number of the trial whose checkpoint it goes on from
	Parameters map[string]string `json:"parameters"`
	Flags      string            `json:"flags"` // the parameters as --name=value, quoted for a shell
}

func (a *app) askCommand() *cobra.Command {
	var p place
	var format, request string
	var count int32
	c := &cobra.Command{
		Use:   "ask NAME",
		Short: "Ask for trials to evaluate yourself",
		Long: `Ask for trials of an experiment that has no command to run. Evaluate them, then
report each with "tuned tell". A "tuned serve", or a "tuned run" of the experiment, must be running.`,
		Args:              words(1, 1, "NAME"),
		ValidArgsFunction: p.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := p.ask(c.Context(), args[0], count, request)
			if err != nil {
				return fmt.Errorf("ask for trials: %w", err)
			}
			return a.printAsked(&p, p.key(args[0]), answer, format)
		},
	}
	p.flags(c, a.getenv)
	countVar(c.Flags(), &count, "count", 1, 1, "number of trials")
	c.Flags().StringVar(&request, "request-id", "", "`ID` of this request: asking again under the same name gets the same trials")
	formatFlag(c, &format, printing(shapeOf[asked]()), "table", "json", "yaml", "csv", "name", jsonPath)
	return c
}

func (p *place) ask(ctx context.Context, name string, count int32, request string) (asked, error) {
	answer := asked{Trials: []askedTrial{}}
	err := p.reading(ctx, func(c *client) error {
		key := p.key(name)
		if !c.daemon {
			e, err := c.get(ctx, key)
			if err == nil && !e.GetCompleted() {
				err = p.notRunning()
			}
			answer.Done = err == nil
			return err
		}
		response, err := c.Ask(ctx, &tunedv1.AskRequest{Namespace: key.Namespace, Experiment: key.Name, Count: count, RequestId: request})
		if err != nil {
			return c.about(ctx, key, err)
		}
		answer.Done, answer.Trials = response.GetDone(), []askedTrial{}
		for _, t := range response.GetTrials() {
			pairs := pairsOf(t)
			answer.Trials = append(answer.Trials, askedTrial{t.GetName(), t.GetNumber(), t.GetParent(), parameterMap(pairs), flags(pairs)})
		}
		return nil
	})
	return answer, err
}

// pairsOf returns the parameters of a trial that the daemon sent.
func pairsOf(t *tunedv1.Trial) []experiment.Pair {
	var pairs []experiment.Pair
	for _, x := range t.GetAssignments() {
		pairs = append(pairs, experiment.Pair{Name: x.GetName(), Value: x.GetValue()})
	}
	return pairs
}

// notRunning says that nobody hands out trials or takes their results.
func (p *place) notRunning() error {
	return fmt.Errorf("nobody hands out trials of it now: %w, or begin it again with tuned run FILE, and keep that running", p.noDaemon())
}

func (a *app) printAsked(p *place, key experiment.Key, answer asked, format string) error {
	switch {
	case format == "csv":
		return answer.table().print(a.stdout, format)
	case format != "table" && format != "name":
		return printAs(a.stdout, format, answer)
	case answer.Done:
		fmt.Fprintf(a.stderr, "the experiment has ended; %s tells how\n", p.hintOn(key, "describe"))
	case len(answer.Trials) == 0:
		fmt.Fprintln(a.stderr, "no trial is free now; tell the results of those that are out first")
	}
	for _, t := range answer.Trials {
		if format == "table" {
			t.Trial += " " + t.Flags
		}
		fmt.Fprintln(a.stdout, t.Trial)
	}
	return nil
}

// table has a row per trial and a column for each parameter that any of them has.
func (a *asked) table() *table {
	any := map[string]string{}
	for _, trial := range a.Trials {
		maps.Copy(any, trial.Parameters)
	}
	names := slices.Sorted(maps.Keys(any))
	t := &table{header: append([]string{"number", "trial", "parent"}, names...)}
	for _, trial := range a.Trials {
		cells := []string{fmt.Sprint(trial.Number), trial.Trial, strings.TrimPrefix(fmt.Sprint(trial.Parent), "0")}
		for _, name := range names {
			cells = append(cells, trial.Parameters[name])
		}
		t.add(cells...)
	}
	return t
}
