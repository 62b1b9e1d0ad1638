package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// asked is the answer to ask, as programs get it.
type asked struct {
	Trials []askedTrial `json:"trials"`
	Done   bool         `json:"done"` // the experiment has ended: no trial will come any more
}

type askedTrial struct {
	Trial      string            `json:"trial"`
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
report each with "tuned tell". A "tuned run" of the experiment must be waiting.`,
		Args: words(1, 1, "NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := p.ask(c.Context(), args[0], count, request)
			if err != nil {
				return fmt.Errorf("ask for trials: %w", err)
			}
			return a.printAsked(answer, format)
		},
	}
	p.flags(c, a.getenv)
	c.Flags().Int32Var(&count, "count", 1, "number of trials")
	c.Flags().StringVar(&request, "request-id", "", "name of this request: asking again under the same name gets the same trials")
	formatFlag(c, &format, "text", "json", "yaml")
	return c
}

func (p *place) ask(ctx context.Context, name string, count int32, request string) (asked, error) {
	answer := asked{Trials: []askedTrial{}}
	from, err := p.open(ctx)
	if err != nil {
		return answer, err
	}
	defer from.Close()
	daemon, ok := from.(*remote)
	if !ok {
		answer.Done, err = p.over(ctx, from, name)
		return answer, err
	}
	response, err := daemon.Ask(ctx, &tunedv1.AskRequest{Namespace: p.namespace, Experiment: name, Count: count, RequestId: request})
	if err != nil {
		return answer, rpcError(err)
	}
	answer.Done = response.GetDone()
	for _, t := range response.GetTrials() {
		var pairs []experiment.Pair
		for _, x := range t.GetAssignments() {
			pairs = append(pairs, experiment.Pair{Name: x.GetName(), Value: x.GetValue()})
		}
		answer.Trials = append(answer.Trials, askedTrial{t.GetName(), parameterMap(pairs), flags(pairs)})
	}
	return answer, nil
}

// over reports whether an experiment has ended; while it has not, only a daemon can go on with it.
func (p *place) over(ctx context.Context, from archive, name string) (bool, error) {
	e, err := p.get(ctx, from, name)
	if err != nil {
		return false, err
	}
	if !e.Status.Completed() {
		return false, errNotRunning
	}
	return true, nil
}

var errNotRunning = errors.New("the experiment is not running; start it with tuned run FILE and keep that running")

func (a *app) printAsked(answer asked, format string) error {
	if format != "text" {
		return printAs(a.stdout, format, answer)
	}
	switch {
	case answer.Done:
		fmt.Fprintln(a.stderr, "the experiment has ended; see tuned best")
	case len(answer.Trials) == 0:
		fmt.Fprintln(a.stderr, "no trial is free now; tell the results of those that are out first")
	}
	for _, t := range answer.Trials {
		fmt.Fprintln(a.stdout, t.Trial, t.Flags)
	}
	return nil
}

func (a *app) tellCommand() *cobra.Command {
	var p place
	var failed string
	c := &cobra.Command{
		Use:   "tell NAME TRIAL METRIC=VALUE...",
		Short: "Tell the result of a trial you asked for",
		Long:  "Tell the result of a trial you asked for. TRIAL is a trial's name or number.",
		Args:  words(2, math.MaxInt, "NAME TRIAL METRIC=VALUE..."),
		RunE: func(c *cobra.Command, args []string) error {
			request := &tunedv1.TellRequest{
				Namespace: p.namespace, Experiment: args[0], Trial: args[1],
				Failed: c.Flags().Changed("failed"), Message: failed,
			}
			told, err := p.tell(c.Context(), request, args[2:])
			if err != nil {
				return fmt.Errorf("tell result of %s: %w", args[1], err)
			}
			if told.GetReason() == tuner.ReasonDiverged {
				fmt.Fprintf(a.stderr, "warning: trial %s: %s\n", told.GetName(), told.GetMessage())
			}
			return nil
		},
	}
	p.flags(c, a.getenv)
	c.Flags().StringVar(&failed, "failed", "", "the evaluation failed: `MESSAGE` says why")
	return c
}

func (p *place) tell(ctx context.Context, request *tunedv1.TellRequest, values []string) (*tunedv1.Trial, error) {
	now := timestamppb.New(time.Now())
	for i, text := range values {
		metric, value, ok := strings.Cut(text, "=")
		if !ok || metric == "" || value == "" {
			return nil, usage("%q: want METRIC=VALUE", text)
		}
		if math.IsNaN(experiment.ParseValue(value)) && !strings.EqualFold(value, "nan") {
			return nil, usage("%q: %q is no number", text, value)
		}
		request.Measurements = append(request.Measurements,
			&tunedv1.Measurement{Seq: uint64(i + 1), Time: now, Metric: metric, Text: value})
	}
	if len(values) == 0 && !request.Failed {
		return nil, usage("no value given; want METRIC=VALUE or --failed MESSAGE")
	}
	from, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	daemon, ok := from.(*remote)
	if !ok {
		return nil, errNotRunning
	}
	told, err := daemon.Tell(ctx, request)
	return told, rpcError(err)
}
