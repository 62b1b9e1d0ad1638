package main

import (
	"context"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// enqueueFlags are the flags of the enqueue command.
type enqueueFlags struct {
	place
	from    string
	note    string
	request string
}

func (a *app) enqueueCommand() *cobra.Command {
	var f enqueueFlags
	c := &cobra.Command{
		Use:   "enqueue NAME PARAMETER=VALUE...",
		Short: "Try given parameters next",
		Long: `Try given parameters: they are the next trial that is started, or handed out. --from TRIAL takes
those that are not given from that trial.`,
		Example: `  tuned enqueue mnist lr=0.01 batch=64 --note "what the paper has"
  tuned enqueue mnist --from 3 lr=0.02`,
		Args:              words(1, math.MaxInt, "NAME PARAMETER=VALUE..."),
		ValidArgsFunction: f.completeAssignments(0, parameterNames),
		RunE: func(c *cobra.Command, args []string) error {
			return doing("enqueue trial", a.enqueue(c.Context(), &f, args[0], args[1:]))
		},
	}
	f.flags(c, a.getenv)
	c.Flags().StringVar(&f.from, "from", "", "`TRIAL`, a name or number, whose other parameters are taken")
	c.Flags().StringVar(&f.note, "note", "", "`TEXT` to keep with the trial")
	c.Flags().StringVar(&f.request, "request-id", "", "`ID` of this request: the same name gets the same trial")
	return c
}

func (a *app) enqueue(ctx context.Context, f *enqueueFlags, name string, words []string) error {
	key := f.key(name)
	given, err := assignments("", words)
	if err != nil {
		return err
	}
	if len(given) == 0 && f.from == "" {
		return usage("no parameter is given; want PARAMETER=VALUE of each, or --from TRIAL")
	}
	return f.asking(ctx, func(c *client) error {
		if f.from != "" {
			other, err := c.trial(ctx, key, f.from)
			if err != nil {
				return err
			}
			given = overlay(other.GetAssignments(), given)
		}
		t, err := c.EnqueueTrial(ctx, &tunedv1.EnqueueTrialRequest{
			Namespace: key.Namespace, Experiment: key.Name, Assignments: given, RequestId: f.request, Note: f.note,
		})
		if err != nil {
			return c.about(ctx, key, err)
		}
		fmt.Fprintf(a.stdout, "trial %s is next: %s\n", t.GetName(), visible(flags(pairsOf(t))))
		return nil
	})
}

func parameterNames(s *experiment.Spec) (out []string) {
	for i := range s.Parameters {
		out = append(out, s.Parameters[i].Name)
	}
	return out
}

// overlay puts parameters in place of those of the same name, and adds the others.
func overlay(base, over []*tunedv1.Assignment) []*tunedv1.Assignment {
	out := append([]*tunedv1.Assignment{}, base...)
next:
	for _, o := range over {
		for i := range out {
			if out[i].GetName() == o.GetName() {
				out[i] = o
				continue next
			}
		}
		out = append(out, o)
	}
	return out
}
