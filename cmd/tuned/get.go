package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// getFlags are the flags of the get command.
type getFlags struct {
	place
	all    bool
	watch  bool
	format string
}

func (a *app) getCommand() *cobra.Command {
	var f getFlags
	c := &cobra.Command{
		Use:        "get [NAME]",
		SuggestFor: []string{"ls", "ps", "experiments"},
		Aliases:    []string{"list"},
		Short:      "List experiments, or show one",
		Long: `List the experiments of a namespace, or show one. json, yaml and jsonpath have the fields of
the API: {"experiments": [...]} of a list, else the experiment with its object and manifest.`,
		Example: `  tuned get -A
  tuned get mnist -o jsonpath='{.best.value}'
  tuned get --watch`,
		Args:              words(0, 1, "at most one NAME"),
		ValidArgsFunction: f.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			return doing("get experiments", a.get(c.Context(), &f, args))
		},
	}
	f.flags(c, a.getenv)
	c.Flags().BoolVarP(&f.all, "all-namespaces", "A", false, "experiments of all namespaces")
	c.Flags().BoolVarP(&f.watch, "watch", "w", false, "go on and print what changes, until interrupted")
	formatFlag(c, &f.format, "table", "json", "yaml", "csv", "name", jsonPath)
	return c
}

func (a *app) get(ctx context.Context, f *getFlags, args []string) error {
	if f.watch {
		print := a.watchPrinter(f)
		return f.following(ctx, a.stderr, func(c *client) error { return watchExperiments(ctx, c, f, args, print) })
	}
	return f.reading(ctx, func(c *client) error {
		if len(args) > 0 {
			e, err := c.get(ctx, f.key(args[0]))
			if err != nil {
				return err
			}
			return a.printExperiments(f, []*tunedv1.Experiment{e}, true)
		}
		list, err := c.list(ctx, f.scope())
		if err != nil {
			return err
		}
		if len(list) == 0 {
			a.sayWhereTheyAre(ctx, c, f)
		}
		if err := c.fronts(ctx, list); err != nil {
			return err
		}
		return a.printExperiments(f, list, false)
	})
}

// scope is the namespace to list; "" for all.
func (f *getFlags) scope() string {
	if f.all {
		return ""
	}
	return f.namespace
}

// fronts looks up the fronts of experiments with several objectives, which lists do not have.
func (c *client) fronts(ctx context.Context, list []*tunedv1.Experiment) error {
	for _, e := range list {
		if len(e.GetObjectives()) < 2 {
			continue
		}
		found, err := c.get(ctx, experiment.Key{Namespace: e.GetNamespace(), Name: e.GetName()})
		if err != nil {
			return err
		}
		e.Front = found.GetFront()
	}
	return nil
}

// sayWhereTheyAre says why a list is empty.
func (a *app) sayWhereTheyAre(ctx context.Context, c *client, f *getFlags) {
	others, err := c.list(ctx, "")
	switch {
	case err != nil || f.format != "table":
	case len(others) == 0 && c.daemon:
		fmt.Fprintf(a.stderr, "no experiments yet; %s begins one\n", commandLineOf(append([]string{"submit", "FILE"}, f.where()...)))
	case len(others) == 0:
		fmt.Fprintf(a.stderr, "no experiments yet; %s begins one\n", commandLineOf(append([]string{"run", "FILE"}, f.where()...)))
	default:
		fmt.Fprintf(a.stderr, "no experiments in namespace %s; other namespaces have %d: %s shows them\n", f.namespace, len(others), f.hint("get", "-A"))
	}
}

// printExperiments writes a list, or one experiment by itself.
func (a *app) printExperiments(f *getFlags, list []*tunedv1.Experiment, single bool) error {
	switch f.format {
	case "name":
		for _, e := range list {
			fmt.Fprintln(a.stdout, f.shownName(e))
		}
		return nil
	case "table", "csv":
		t := table{header: experimentHeader}
		for _, e := range list {
			t.add(experimentCells(e, f.format, time.Now())...)
		}
		return t.print(a.stdout, f.format)
	}
	trees := make([]any, len(list))
	for i, e := range list {
		var err error
		if trees[i], err = treeOf(e); err != nil {
			return err
		}
	}
	if single {
		return printAs(a.stdout, f.format, trees[0])
	}
	return printAs(a.stdout, f.format, map[string]any{"experiments": trees})
}

// shownName is a name that, with the same flags, names the experiment again.
func (f *getFlags) shownName(e *tunedv1.Experiment) string {
	if f.all {
		return e.GetNamespace() + "/" + e.GetName()
	}
	return e.GetName()
}

var experimentHeader = []string{"namespace", "name", "state", "algorithm", "trials", "budget", "running", "failed", "best", "value", "age"}

func experimentCells(e *tunedv1.Experiment, format string, now time.Time) []string {
	n := e.GetCounts()
	budget, age := "unlimited", ""
	if b := e.GetBudget(); b != nil && b.MaxTrials != nil {
		budget = fmt.Sprint(e.GetBudget().GetMaxTrials())
	}
	if created := instant(e.GetCreated()); !created.IsZero() && format != "csv" {
		age = clock(now.Sub(created))
	} else if !created.IsZero() {
		age = fmt.Sprint(int64(now.Sub(created).Seconds()))
	}
	best, value := bestCells(e, format)
	return []string{
		e.GetNamespace(), e.GetName(), e.GetState(), e.GetAlgorithm(), fmt.Sprint(n.GetTrials()), budget,
		fmt.Sprint(n.GetRunning()), fmt.Sprint(n.GetFailed() + n.GetMetricsUnavailable()), best, value, age,
	}
}

// bestCells are the best trial's name and value. A table says why there is none, and how large a front is.
func bestCells(e *tunedv1.Experiment, format string) (best, value string) {
	if b := e.GetBest(); b != nil {
		best = b.GetName()
		if b.Value != nil {
			value = strconv.FormatFloat(b.GetValue(), 'g', -1, 64)
		}
	}
	switch {
	case format == "csv":
	case len(e.GetObjectives()) > 1 && len(e.GetFront()) > 0:
		value += fmt.Sprintf(" (front of %d)", len(e.GetFront()))
	case e.GetInfeasible() > 0 && best == "":
		value = noneFeasible(int(e.GetInfeasible()))
	}
	return best, value
}

// watchExperiments prints what there is, then each experiment again when it changes.
func watchExperiments(ctx context.Context, c *client, f *getFlags, args []string, print func(*tunedv1.Experiment) error) error {
	request := &tunedv1.WatchRequest{Namespace: f.scope()}
	if len(args) > 0 {
		key := f.key(args[0])
		request.Namespace, request.Experiment = key.Namespace, key.Name
		if _, err := c.get(ctx, key); err != nil {
			return err
		}
	}
	changes, err := c.watch(ctx, request)
	if err != nil {
		return err
	}
	if err := c.each(ctx, request, print); err != nil {
		return err
	}
	for {
		change, err := changes.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return errEnded
		case err != nil:
			return rpcError(err)
		case change.GetReset_():
			err = c.each(ctx, request, print)
		case change.GetExperiment() != nil:
			err = print(change.GetExperiment())
		case change.GetDeleted() != nil:
			gone := change.GetDeleted()
			gone.State = "Deleted"
			err = print(gone)
		}
		if err != nil {
			return err
		}
	}
}

// each calls f for the experiments that a watch is about.
func (c *client) each(ctx context.Context, w *tunedv1.WatchRequest, f func(*tunedv1.Experiment) error) error {
	list := []*tunedv1.Experiment{}
	var err error
	if w.GetExperiment() != "" {
		var e *tunedv1.Experiment
		e, err = c.get(ctx, experiment.Key{Namespace: w.GetNamespace(), Name: w.GetExperiment()})
		list = append(list, e)
	} else {
		list, err = c.list(ctx, w.GetNamespace())
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

// watchPrinter returns what prints a line per change: columns of a fixed width, or one JSON document.
func (a *app) watchPrinter(f *getFlags) func(*tunedv1.Experiment) error {
	widths := []int{12, 28, 11, 22, 7, 10, 8, 7, 36, 22, 0}
	columns := func(cells []string) {
		for i, cell := range cells {
			fmt.Fprintf(a.stdout, "%-*s ", widths[i], visible(cell))
		}
		fmt.Fprintln(a.stdout)
	}
	if f.format == "table" {
		columns(upper(experimentHeader))
	}
	last := ""
	return func(e *tunedv1.Experiment) error {
		if f.format == "table" {
			cells := experimentCells(e, f.format, time.Now())
			if row := fmt.Sprint(cells[:len(cells)-1]); row != last {
				last = row
				columns(cells)
			}
			return nil
		}
		if f.format == "json" {
			tree, err := treeOf(e)
			if err != nil {
				return err
			}
			return json.NewEncoder(a.stdout).Encode(tree)
		}
		return a.printExperiments(f, []*tunedv1.Experiment{e}, true)
	}
}
