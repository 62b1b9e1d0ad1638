package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
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

// tellFlags are the flags of the tell command.
type tellFlags struct {
	place
	failed     string
	parameters []string
	request    string
}

func (a *app) tellCommand() *cobra.Command {
	var f tellFlags
	c := &cobra.Command{
		Use:   "tell NAME [TRIAL] METRIC=VALUE...",
		Short: "Tell the result of a trial",
		Long: `Tell the result of a trial you asked for. TRIAL is a trial's name or number. Without one, --param
names parameters that were evaluated unasked: they make a trial of their own.`,
		Example: `  tuned tell mnist 3 loss=0.25
  tuned tell mnist 4 --failed "out of memory"
  tuned tell mnist loss=0.3 --param lr=0.1 --param depth=3 --request-id from-notebook-7`,
		Args:              words(1, math.MaxInt, "NAME [TRIAL] METRIC=VALUE..."),
		ValidArgsFunction: f.completeAssignments(1, (*experiment.Spec).Needed),
		RunE: func(c *cobra.Command, args []string) error {
			request, values, err := f.tell(c.Flags().Changed("failed"), args)
			if err != nil {
				return err
			}
			told, err := f.send(c.Context(), request, values)
			if err != nil {
				return fmt.Errorf("tell result of %s: %w", cmp.Or(request.GetTrial(), "a new trial"), err)
			}
			if len(f.parameters) > 0 {
				fmt.Fprintf(a.stdout, "trial %s\n", told.GetName())
			}
			if told.GetReason() == tuner.ReasonDiverged {
				fmt.Fprintf(a.stderr, "warning: trial %s: %s\n", told.GetName(), visible(told.GetMessage()))
			}
			return nil
		},
	}
	f.flags(c, a.getenv)
	c.Flags().StringVar(&f.failed, "failed", "", "the evaluation failed: `MESSAGE` says why")
	c.Flags().StringArrayVar(&f.parameters, "param", nil, "`NAME=VALUE` of a parameter, of an evaluation that nobody asked for; repeatable")
	c.Flags().StringVar(&f.request, "request-id", "", "`ID` of an evaluation that nobody asked for: telling it again under the same name makes no second trial")
	return c
}

// tell makes the request of the command's words; the values of metrics are left to send.
func (f *tellFlags) tell(failed bool, args []string) (request *tunedv1.TellRequest, values []string, err error) {
	key := f.key(args[0])
	request = &tunedv1.TellRequest{
		Namespace: key.Namespace, Experiment: key.Name, Failed: failed, Message: strings.ToValidUTF8(f.failed, "\uFFFD"), RequestId: f.request,
	}
	values = args[1:]
	if len(f.parameters) == 0 {
		if len(values) == 0 || strings.Contains(values[0], "=") {
			return nil, nil, usage("tell: no TRIAL is named; give its name or number, or --param NAME=VALUE for what nobody asked for")
		}
		request.Trial, values = values[0], values[1:]
		return request, values, nil
	}
	if f.request == "" {
		return nil, nil, usage("tell: --param needs --request-id ID, so that telling it again makes no second trial")
	}
	request.Assignments, err = assignments("--param ", f.parameters)
	return request, values, err
}

// assignments reads NAME=VALUE words.
func assignments(of string, words []string) (out []*tunedv1.Assignment, err error) {
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" {
			return nil, usage("%s%q: want NAME=VALUE", of, word)
		}
		out = append(out, &tunedv1.Assignment{Name: name, Value: value})
	}
	return out, nil
}

func (f *tellFlags) send(ctx context.Context, request *tunedv1.TellRequest, values []string) (told *tunedv1.Trial, err error) {
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
	c, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if !c.daemon {
		return nil, f.notRunning()
	}
	told, err = c.Tell(ctx, request)
	if err != nil {
		return nil, c.about(ctx, f.key(request.GetExperiment()), err)
	}
	return told, nil
}
