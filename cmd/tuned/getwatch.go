package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// watchExperiments prints what there is, then each experiment again when it changes; of one that is named, to the
// error that it was deleted.
func watchExperiments(ctx context.Context, c *client, f *getFlags, args []string, print func(...*tunedv1.Experiment) error) error {
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
	there := func() error {
		list, err := c.watched(ctx, request)
		if err != nil {
			return err
		}
		return print(list...)
	}
	if err := there(); err != nil {
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
			err = there()
		case change.GetExperiment() != nil:
			err = print(change.GetExperiment())
		case change.GetDeleted() != nil:
			err = deleted(change.GetDeleted(), len(args) > 0, print)
		}
		if err != nil {
			return err
		}
	}
}

// deleted prints an experiment that is no more. Where it is the one that is watched, that is an error.
func deleted(e *tunedv1.Experiment, watched bool, print func(...*tunedv1.Experiment) error) error {
	e.State = "Deleted"
	if err := print(e); err != nil || !watched {
		return err
	}
	return fmt.Errorf("experiment %q was deleted", e.GetName())
}

// each calls f for the experiments that a watch is about.
func (c *client) each(ctx context.Context, w *tunedv1.WatchRequest, f func(*tunedv1.Experiment) error) error {
	list, err := c.watched(ctx, w)
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

// watched returns the experiments that a watch is about.
func (c *client) watched(ctx context.Context, w *tunedv1.WatchRequest) ([]*tunedv1.Experiment, error) {
	if w.GetExperiment() == "" {
		return c.list(ctx, w.GetNamespace())
	}
	e, err := c.get(ctx, experiment.Key{Namespace: w.GetNamespace(), Name: w.GetExperiment()})
	return []*tunedv1.Experiment{e}, err
}

// watchPrinter returns what prints changes: a row of the table each, or one document.
func (a *app) watchPrinter(f *getFlags) func(...*tunedv1.Experiment) error {
	var rows rowPrinter
	tagged := false
	return func(list ...*tunedv1.Experiment) error {
		switch f.format {
		case "table", "csv":
			t := experimentTable(list, f.format, true, tagged, time.Now())
			tagged = slices.Contains(t.header, "tags") // and from now on
			rows.changed(t, 2, "age")                  // namespace and name
			return rows.print(a, t, f.format)
		case "json":
			for _, e := range list {
				tree, err := treeOf(e)
				if err == nil {
					err = writeLine(a.stdout, tree)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}
		for _, e := range list {
			if err := a.printExperiments(f, true, []*tunedv1.Experiment{e}, true); err != nil {
				return err
			}
		}
		return nil
	}
}
