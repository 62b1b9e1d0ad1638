package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// getFlags are the flags of the get command.
type getFlags struct {
	place
	all    bool
	filter string
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
the API: {"experiments": [...]} of a list, else the experiment with its object and manifest.
--filter takes terms of the API, joined by AND, about state, tag, name and algorithm.`,
		Example: `  tuned get -A
  tuned get mnist -o jsonpath='{.best.value}'
  tuned get --filter 'state=Running AND tag=baseline'
  tuned get --watch`,
		Args:              words(0, 1, "at most one NAME"),
		ValidArgsFunction: f.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			return doing("get experiments", a.get(c.Context(), &f, args))
		},
	}
	f.flags(c, a.getenv)
	c.Flags().BoolVarP(&f.all, "all-namespaces", "A", false, "experiments of all namespaces")
	c.Flags().StringVar(&f.filter, "filter", "", filterUsage)
	c.Flags().BoolVarP(&f.watch, "watch", "w", false, "go on and print what changes, until interrupted")
	formatFlag(c, &f.format, f.printed, "table", "json", "yaml", "csv", "name", jsonPath)
	return c
}

func (a *app) get(ctx context.Context, f *getFlags, args []string) error {
	if f.filter != "" && (f.watch || len(args) > 0) {
		return usage("--filter: it is about a list; leave out NAME and --watch")
	}
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
			return a.printExperiments(f, c.daemon, []*tunedv1.Experiment{e}, true)
		}
		list, err := c.find(ctx, f.scope(), f.filter)
		if err != nil {
			return filterFault(err)
		}
		if len(list) == 0 && f.filter == "" {
			a.sayWhereTheyAre(ctx, c, f)
		}
		if err := c.fronts(ctx, list); err != nil {
			return err
		}
		return a.printExperiments(f, c.daemon, list, false)
	})
}

// printed is the shape of what is printed for programs.
func (f *getFlags) printed(args []string) *shape {
	one := messageShape(&tunedv1.Experiment{})
	if len(args) > 0 || f.watch {
		return one
	}
	return &shape{keys: map[string]*shape{"experiments": {items: one}}}
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

// printExperiments writes a list, or one experiment by itself. driven says whether a daemon drives them.
func (a *app) printExperiments(f *getFlags, driven bool, list []*tunedv1.Experiment, single bool) error {
	switch f.format {
	case "name":
		for _, e := range list {
			fmt.Fprintln(a.stdout, visible(f.shownName(e)))
		}
		return nil
	case "table", "csv":
		return a.printTable(experimentTable(list, f.format, driven, false, time.Now()), f.format)
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

// experimentTable has a row per experiment; tags in csv, where one has some, and where they are asked for.
func experimentTable(list []*tunedv1.Experiment, format string, driven, tagged bool, now time.Time) *table {
	t := &table{
		header: []string{"namespace", "name", "state", "algorithm", "trials", "budget", "running", "failed", "best", "value", "age"},
		spare:  []string{"best", "algorithm", "tags", "failed", "budget", "running", "namespace"},
		soft:   []string{"value", "state"},
	}
	tagged = tagged || format == "csv" || slices.ContainsFunc(list, func(e *tunedv1.Experiment) bool { return len(e.GetTags()) > 0 })
	if tagged {
		t.header = append(t.header, "tags")
	}
	for _, e := range list {
		cells := experimentCells(e, format, driven, now)
		if tagged {
			cells = append(cells, strings.Join(e.GetTags(), ", "))
		}
		t.add(cells...)
	}
	return t
}

func experimentCells(e *tunedv1.Experiment, format string, driven bool, now time.Time) []string {
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
	state := e.GetState()
	if format == "table" {
		state = stateText(e, driven)
	}
	return []string{
		e.GetNamespace(), e.GetName(), state, e.GetAlgorithm(), fmt.Sprint(n.GetTrials()), budget,
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
