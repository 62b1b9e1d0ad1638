package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// annotateFlags are the flags of the annotate command.
type annotateFlags struct {
	place
	note  string
	tag   []string
	untag []string
}

func (a *app) annotateCommand() *cobra.Command {
	var f annotateFlags
	c := &cobra.Command{
		Use:        "annotate NAME [TRIAL]",
		SuggestFor: []string{"note", "tag", "label", "comment"},
		Short:      "Keep a note and tags with an experiment or a trial",
		Long: `Keep a note and tags with an experiment, or with one of its trials, by name or number. What is not
given stays as it is; --note '' takes the note away. tuned describe shows them, and
--filter tag=TAG of tuned get and tuned trials finds them.`,
		Example: `  tuned annotate mnist --note "augmentation was off" --tag baseline
  tuned annotate mnist 3 --tag good --untag check`,
		Args:              words(1, 2, "NAME [TRIAL]"),
		ValidArgsFunction: f.completeTrials,
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.ContainsFunc([]string{"note", "tag", "untag"}, c.Flags().Changed) {
				return usage("annotate: nothing to keep; give --note, --tag or --untag")
			}
			var note *string
			if c.Flags().Changed("note") {
				note = &f.note
			}
			return doing("annotate", a.annotate(c.Context(), &f, note, args))
		},
	}
	f.flags(c, a.getenv)
	c.Flags().StringVar(&f.note, "note", "", "`TEXT`, Markdown, in place of the note that there is")
	c.Flags().StringArrayVar(&f.tag, "tag", nil, "`TAG` to add; repeatable")
	c.Flags().StringArrayVar(&f.untag, "untag", nil, "`TAG` to take away; repeatable")
	return c
}

func (a *app) annotate(ctx context.Context, f *annotateFlags, note *string, args []string) error {
	c, err := a.openWriting(ctx, &f.place)
	if err != nil {
		return err
	}
	defer c.Close()
	key := f.key(args[0])
	what := key.String()
	var tags []string
	if len(args) == 1 {
		tags, err = c.annotateExperiment(ctx, f, note, key)
	} else {
		what += ", trial " + args[1]
		tags, err = c.annotateTrial(ctx, f, note, key, args[1])
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s annotated", visible(what))
	if len(tags) > 0 {
		fmt.Fprintf(a.stdout, "; tags: %s", visible(strings.Join(tags, ", ")))
	}
	fmt.Fprintln(a.stdout)
	return nil
}

func (c *client) annotateExperiment(ctx context.Context, f *annotateFlags, note *string, key experiment.Key) ([]string, error) {
	e, err := c.AnnotateExperiment(ctx, &tunedv1.AnnotateExperimentRequest{
		Namespace: key.Namespace, Name: key.Name, Note: note, AddTags: f.tag, RemoveTags: f.untag,
	})
	return e.GetTags(), c.about(ctx, key, err)
}

func (c *client) annotateTrial(ctx context.Context, f *annotateFlags, note *string, key experiment.Key, trial string) ([]string, error) {
	t, err := c.AnnotateTrial(ctx, &tunedv1.AnnotateTrialRequest{
		Namespace: key.Namespace, Experiment: key.Name, Trial: trial, Note: note, AddTags: f.tag, RemoveTags: f.untag,
	})
	return t.GetTags(), c.about(ctx, key, err)
}
