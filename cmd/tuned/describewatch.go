package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// watchDescription says what look finds, and again when it differs by more than time, until what is described has
// ended or no daemon drives it.
func (a *app) watchDescription(ctx context.Context, f *describeFlags, key experiment.Key, look func(*client) (description, error)) error {
	last := ""
	show := func(c *client) (ended bool, err error) {
		d, err := look(c)
		if err != nil {
			return false, err
		}
		tree, err := d.tree(f)
		if err != nil {
			return false, err
		}
		now, err := json.Marshal(timeless(tree))
		if err == nil && string(now) != last {
			err = a.printAgain(f, d, tree, last == "")
		}
		if err != nil {
			return false, err
		}
		last = string(now)
		return d.ended() || !c.daemon, nil
	}
	return a.watching(ctx, &f.place, key, show)
}

// printAgain prints a description, apart from the one before.
func (a *app) printAgain(f *describeFlags, d description, tree map[string]any, first bool) error {
	switch {
	case f.format == "json":
		return writeLine(a.stdout, tree)
	case f.format == "yaml" && !first:
		fmt.Fprintln(a.stdout, "---")
	case f.format == "table" && !first:
		fmt.Fprintf(a.stdout, "\n--- %s\n", time.Now().Format(time.RFC3339))
	}
	return a.printDescription(f, d)
}

// timeless is a description without what passes by itself: the time that an experiment has used.
func timeless(tree map[string]any) map[string]any {
	e, ok := tree["experiment"].(map[string]any)
	if !ok {
		return tree
	}
	budget, ok := e["budget"].(map[string]any)
	if !ok {
		return tree
	}
	return with(tree, "experiment", with(e, "budget", with(budget, "duration", nil)))
}

// with is an object with another value of a key.
func with(object map[string]any, key string, value any) map[string]any {
	out := maps.Clone(object)
	out[key] = value
	return out
}
