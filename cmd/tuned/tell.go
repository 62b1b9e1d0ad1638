package main

import (
	"cmp"
	"context"
	"fmt"
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

// tellFlags are the flags of the tell command.
type tellFlags struct {
	place
	failed     string
	parameters []string
	request    string
	format     string
}

func (a *app) tellCommand() *cobra.Command {
	var f tellFlags
	c := &cobra.Command{
		Use:   "tell NAME [TRIAL] METRIC=VALUE...",
		Short: "Tell the result of a trial",
		Long: `Tell the result of a trial you asked for. TRIAL is a trial's name or number. Without one, --param
names parameters that were evaluated unasked: they make a trial of their own. It prints the trial
as it stands then, and the best one so far.`,
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
			told, e, err := f.send(c.Context(), request, values)
			if err != nil {
				return fmt.Errorf("tell result of %s: %w", cmp.Or(request.GetTrial(), "a new trial"), err)
			}
			return a.printTold(told, e, f.format)
		},
	}
	f.flags(c, a.getenv)
	c.Flags().StringVar(&f.failed, "failed", "", "the evaluation failed: `MESSAGE` says why")
	c.Flags().StringArrayVar(&f.parameters, "param", nil, "`NAME=VALUE` of a parameter, of an evaluation that nobody asked for; repeatable")
	c.Flags().StringVar(&f.request, "request-id", "", "`ID` of an evaluation that nobody asked for: telling it again under the same name makes no second trial")
	formatFlag(c, &f.format, printing(messageShape(&tunedv1.Trial{})), "table", "json", "yaml", "name", jsonPath)
	return c
}

// printTold says what a trial of e has come to.
func (a *app) printTold(t *tunedv1.Trial, e *tunedv1.Experiment, format string) error {
	if t.GetReason() == tuner.ReasonDiverged {
		fmt.Fprintf(a.stderr, "warning: trial %s: %s\n", t.GetName(), visible(t.GetMessage()))
	}
	switch format {
	case "table":
		fmt.Fprintf(a.stdout, "trial %s %s: %s%s\n", t.GetName(), t.GetState(), visible(toldText(t)), visible(bestText(t, e)))
		return nil
	case "name":
		fmt.Fprintln(a.stdout, t.GetName())
		return nil
	}
	tree, err := treeOf(t)
	if err != nil {
		return err
	}
	return printAs(a.stdout, format, tree)
}

// toldText is what was told of a trial.
func toldText(t *tunedv1.Trial) string {
	if len(t.GetMetrics()) == 0 {
		return t.GetMessage()
	}
	words := []string{}
	for _, m := range t.GetMetrics() {
		words = append(words, m.GetName()+"="+exact(m.GetValue()))
	}
	return strings.Join(words, " ")
}

// bestText says which trial of e is the best once t was told; "" where that is not known.
func bestText(t *tunedv1.Trial, e *tunedv1.Experiment) string {
	best, several := e.GetBest(), len(e.GetObjectives()) > 1
	switch {
	case e == nil:
		return ""
	case several && slices.Contains(e.GetFront(), t.GetNumber()):
		return fmt.Sprintf("; on the front, of %s so far", plural(len(e.GetFront()), "trial"))
	case several:
		return fmt.Sprintf("; the front has %s so far", plural(len(e.GetFront()), "trial"))
	case best == nil:
		return "; no best trial yet"
	case best.GetNumber() == t.GetNumber():
		return "; the best so far"
	}
	return fmt.Sprintf("; the best so far is %s with %s", best.GetName(), exact(best.GetValue()))
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

func (f *tellFlags) send(ctx context.Context, request *tunedv1.TellRequest, values []string) (told *tunedv1.Trial, e *tunedv1.Experiment, err error) {
	now := timestamppb.New(time.Now())
	for i, text := range values {
		metric, value, ok := strings.Cut(text, "=")
		if !ok || metric == "" || value == "" {
			return nil, nil, usage("%q: want METRIC=VALUE", text)
		}
		if math.IsNaN(experiment.ParseValue(value)) && !strings.EqualFold(value, "nan") {
			return nil, nil, usage("%q: %q is no number", text, value)
		}
		request.Measurements = append(request.Measurements,
			&tunedv1.Measurement{Seq: uint64(i + 1), Time: now, Metric: metric, Text: value})
	}
	if len(values) == 0 && !request.Failed {
		return nil, nil, usage("no value given; want METRIC=VALUE or --failed MESSAGE")
	}
	c, err := f.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	if !c.daemon {
		return nil, nil, f.notRunning()
	}
	told, err = c.Tell(ctx, request)
	if err != nil {
		return nil, nil, c.about(ctx, f.key(request.GetExperiment()), err)
	}
	_ = f.reading(ctx, func(c *client) (err error) { // it is told, whatever becomes of the experiment and the daemon
		e, err = c.get(ctx, experiment.Key{Namespace: request.GetNamespace(), Name: request.GetExperiment()})
		return err
	})
	return told, e, nil
}
