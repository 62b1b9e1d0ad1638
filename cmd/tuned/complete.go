package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// completionTime is how long a shell may wait for names.
const completionTime = 2 * time.Second

const noFiles = cobra.ShellCompDirectiveNoFileComp

// completeNames completes the name of an experiment, NAME or NAMESPACE/NAME.
func (p *place) completeNames(c *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	namespace, before := p.namespace, ""
	if i := strings.IndexByte(word, '/'); i >= 0 {
		namespace, before = word[:i], word[:i+1]
	}
	var out []cobra.Completion
	for _, e := range p.known(c.Context(), namespace) {
		out = append(out, cobra.CompletionWithDesc(before+e.GetName(), e.GetState()))
	}
	return out, noFiles
}

// completeTrials completes the name of an experiment, then that of a trial.
func (p *place) completeTrials(c *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return p.completeNames(c, args, word)
	}
	if len(args) > 1 {
		return nil, noFiles
	}
	ctx, cancel := context.WithTimeout(c.Context(), completionTime)
	defer cancel()
	var out []cobra.Completion
	_ = p.reading(ctx, func(c *client) error { // without an answer nothing is offered
		trials, err := c.trials(ctx, p.key(args[0]))
		for _, t := range trials {
			out = append(out, cobra.CompletionWithDesc(t.GetName(), t.GetState()))
		}
		return err
	})
	return out, noFiles
}

// completeAssignments completes the name of an experiment, then as many words before as said, then NAME= of what the
// experiment has.
func (p *place) completeAssignments(before int, names func(s *experiment.Spec) []string) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) <= before {
			return p.completeTrials(c, args, word)
		}
		ctx, cancel := context.WithTimeout(c.Context(), completionTime)
		defer cancel()
		var out []cobra.Completion
		_ = p.reading(ctx, func(c *client) error { // without an answer nothing is offered
			m, err := c.get(ctx, p.key(args[0]))
			if err != nil {
				return err
			}
			e, err := experimentOf(m)
			if err != nil {
				return err
			}
			for _, name := range names(&e.Spec) {
				if !slices.ContainsFunc(args, func(given string) bool { return strings.HasPrefix(given, name+"=") }) {
					out = append(out, name+"=")
				}
			}
			return nil
		})
		return out, noFiles | cobra.ShellCompDirectiveNoSpace
	}
}

// completeNamespace completes -n.
func (p *place) completeNamespace(c *cobra.Command) {
	_ = c.RegisterFlagCompletionFunc("namespace", func(c *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) { // fails for unknown flags only
		var out []cobra.Completion
		last := ""
		for _, e := range p.known(c.Context(), "") {
			if e.GetNamespace() != last { // they come by namespace
				last = e.GetNamespace()
				out = append(out, last)
			}
		}
		return out, noFiles
	})
}

// known returns the experiments of a namespace for completion, none when nobody answers soon.
func (p *place) known(ctx context.Context, namespace string) (out []*tunedv1.Experiment) {
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	_ = p.reading(ctx, func(c *client) (err error) { // without an answer nothing is offered
		out, err = c.list(ctx, namespace)
		return err
	})
	return out
}

// completeFiles completes an experiment's file.
func completeFiles(_ *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 || strings.HasPrefix(word, "-") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return []cobra.Completion{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt
}
