package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// control is a command that changes an experiment and prints how it stands then.
type control struct {
	use, short, long, act string
	done                  string // what is said of the experiment
	ends                  bool   // it stops the experiment
	extends               bool   // it changes the budget
	call                  func(ctx context.Context, c *client, key experiment.Key) (*tunedv1.Experiment, error)
}

func (a *app) controlCommand(p *place, k control) *cobra.Command {
	c := &cobra.Command{
		Use: k.use, Short: k.short, Long: k.long,
		Args:              words(1, 1, "NAME"),
		ValidArgsFunction: p.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			return doing(k.act+" experiment", a.control(c.Context(), p, k, args[0]))
		},
	}
	p.flags(c, a.getenv)
	return c
}

func (a *app) control(ctx context.Context, p *place, k control, name string) error {
	key := p.key(name)
	return p.asking(ctx, func(c *client) error {
		e, err := k.call(ctx, c, key)
		if err != nil {
			return c.about(ctx, key, err)
		}
		done := k.done
		switch {
		case k.ends && e.GetReason() != experiment.ReasonStopped:
			done = "had ended already"
		case k.extends && e.GetCompleted():
			done = "has another budget, but does not go on: " + p.endedStill(e)
		}
		fmt.Fprintf(a.stdout, "%s %s\n", key, done)
		a.sayState(e)
		return nil
	})
}

// endedStill says why an experiment has ended still, with the budget that it was given.
func (p *place) endedStill(e *tunedv1.Experiment) string {
	key := experiment.Key{Namespace: e.GetNamespace(), Name: e.GetName()}
	n, b := e.GetCounts(), e.GetBudget()
	if ended := int32(n.GetTrials()); b != nil && b.MaxTrials != nil && ended >= b.GetMaxTrials() {
		more := p.hintOn(key, "extend", "--max-trials", fmt.Sprint(ended+1))
		return fmt.Sprintf("it has had %s, of a budget of %d now; %s makes room for one more", plural(int(ended), "trial"), b.GetMaxTrials(), more)
	}
	return fmt.Sprintf("%s; see %s", e.GetReason(), p.hintOn(key, "describe"))
}

// sayState says how an experiment stands after a change, where that is more than what was asked for.
func (a *app) sayState(e *tunedv1.Experiment) {
	n := e.GetCounts()
	budget := ""
	if b := e.GetBudget(); b != nil && b.MaxTrials != nil {
		budget = fmt.Sprintf("/%d", e.GetBudget().GetMaxTrials())
	}
	ended := n.GetTrials() - n.GetRunning() - n.GetPending()
	fmt.Fprintf(a.stdout, "%s: %d%s trials ended, %d running\n", e.GetState(), ended, budget, n.GetRunning())
}

func (a *app) pauseCommand() *cobra.Command {
	return a.controlCommand(&place{}, control{
		use: "pause NAME", short: "Start no further trial of an experiment", act: "pause", done: "paused",
		long: `Start no further trial of an experiment until tuned resume. Trials that run go on.`,
		call: func(ctx context.Context, c *client, key experiment.Key) (*tunedv1.Experiment, error) {
			return c.PauseExperiment(ctx, &tunedv1.PauseExperimentRequest{Namespace: key.Namespace, Name: key.Name})
		},
	})
}

func (a *app) resumeCommand() *cobra.Command {
	return a.controlCommand(&place{}, control{
		use: "resume NAME", short: "Go on with an experiment that was paused, stopped, has failed or reached its goal", act: "resume", done: "resumed",
		long: `Go on with an experiment that is paused, was stopped, has failed or has reached its goal. When
its budget is used up, tuned extend makes it larger.`,
		call: func(ctx context.Context, c *client, key experiment.Key) (*tunedv1.Experiment, error) {
			return c.ResumeExperiment(ctx, &tunedv1.ResumeExperimentRequest{Namespace: key.Namespace, Name: key.Name})
		},
	})
}

func (a *app) stopCommand() *cobra.Command {
	var p place
	var drain bool
	c := &cobra.Command{
		Use:        "stop NAME [TRIAL]",
		SuggestFor: []string{"kill", "cancel", "abort"},
		Short:      "End an experiment, or one of its trials",
		Long: `End an experiment, or with TRIAL (name or number) that trial alone. The experiment has succeeded
when it has a best trial, else failed; tuned resume goes on with it.`,
		Args:              words(1, 2, "NAME [TRIAL]"),
		ValidArgsFunction: p.completeTrials,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 2 {
				if drain {
					return usage("--drain: it is about an experiment; a trial is stopped at once")
				}
				return a.stopTrial(c.Context(), &p, args[0], args[1])
			}
			k := control{done: "stopped", ends: true, call: func(ctx context.Context, c *client, key experiment.Key) (*tunedv1.Experiment, error) {
				return c.StopExperiment(ctx, &tunedv1.StopExperimentRequest{Namespace: key.Namespace, Name: key.Name, Drain: drain})
			}}
			return doing("stop experiment", a.control(c.Context(), &p, k, args[0]))
		},
	}
	p.flags(c, a.getenv)
	c.Flags().BoolVar(&drain, "drain", false, "let trials that run come to their ends; else they are killed")
	return c
}

func (a *app) stopTrial(ctx context.Context, p *place, name, trial string) error {
	key := p.key(name)
	return doing("stop trial", p.asking(ctx, func(c *client) error {
		t, err := c.StopTrial(ctx, &tunedv1.StopTrialRequest{Namespace: key.Namespace, Experiment: key.Name, Trial: trial})
		if err != nil {
			return c.about(ctx, key, err)
		}
		if was := experiment.TrialState(t.GetState()); was.Final() && was != experiment.TrialKilled && was != experiment.TrialEarlyStopped {
			fmt.Fprintf(a.stdout, "trial %s had ended already: %s\n", t.GetName(), was)
			return nil
		}
		fmt.Fprintf(a.stdout, "trial %s stopped\n", t.GetName())
		return nil
	}))
}

// extension is what the flags of extend say.
type extension struct {
	maxTrials   string // N or +N
	maxFailed   int32
	parallel    int32
	maxDuration time.Duration
	maxCost     float64
}

func (a *app) extendCommand() *cobra.Command {
	var p place
	var x extension
	c := &cobra.Command{
		Use:   "extend NAME",
		Short: "Change the budget of an experiment",
		Long: `Change the budget of an experiment, while it runs or after it has completed: with room in it the
experiment goes on. A smaller budget ends no trial that runs.`,
		Example: `  tuned extend mnist --max-trials +20
  tuned extend mnist --parallel 4 --max-duration 2h`,
		Args:              words(1, 1, "NAME"),
		ValidArgsFunction: p.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			return doing("extend experiment", a.extend(c, &p, &x, args[0]))
		},
	}
	p.flags(c, a.getenv)
	s := c.Flags()
	s.StringVar(&x.maxTrials, "max-trials", "", "number of trials, `N`, or +N for so many more")
	countVar(s, &x.maxFailed, "max-failed", 0, 0, "failed trials that fail the experiment")
	countVar(s, &x.parallel, "parallel", 0, 1, "trials at the same time")
	s.DurationVar(&x.maxDuration, "max-duration", 0, "time since the experiment was created, pauses left out")
	s.Float64Var(&x.maxCost, "max-cost", 0, "cost in the unit of spec.tuned.cost")
	return c
}

func (a *app) extend(c *cobra.Command, p *place, x *extension, name string) error {
	budget, more, err := x.budget(c.Flags().Changed)
	if err != nil {
		return err
	}
	return a.control(c.Context(), p, control{done: "extended", extends: true, call: func(ctx context.Context, c *client, key experiment.Key) (*tunedv1.Experiment, error) {
		return c.ExtendExperiment(ctx, &tunedv1.ExtendExperimentRequest{Namespace: key.Namespace, Name: key.Name, Budget: budget, MoreTrials: more})
	}}, name)
}

// budget returns what the flags ask for, and by how many trials the budget is to grow.
func (x *extension) budget(given func(flag string) bool) (b *tunedv1.Budget, more int32, err error) {
	b = &tunedv1.Budget{}
	some := false
	for flag, set := range map[string]func(){
		"max-failed":   func() { b.MaxFailedTrials = &x.maxFailed },
		"parallel":     func() { b.ParallelTrials = &x.parallel },
		"max-duration": func() { b.MaxDuration = durationpb.New(x.maxDuration) },
		"max-cost":     func() { b.MaxCost = &x.maxCost },
	} {
		if given(flag) {
			some = true
			set()
		}
	}
	if given("max-trials") {
		some = true
		n, err := strconv.ParseInt(x.maxTrials, 10, 32)
		if err != nil || n < 1 {
			return nil, 0, usage("--max-trials %q: want N, or +N for so many more, from 1 to %d", x.maxTrials, math.MaxInt32)
		}
		if strings.HasPrefix(x.maxTrials, "+") {
			more = int32(n)
		} else {
			b.MaxTrials = new(int32(n))
		}
	}
	switch {
	case given("max-duration") && x.maxDuration <= 0:
		return nil, 0, usage("--max-duration %v: want more than 0s", x.maxDuration)
	case given("max-cost") && !(x.maxCost > 0):
		return nil, 0, usage("--max-cost %v: want more than 0", x.maxCost)
	}
	if !some {
		return nil, 0, usage("nothing to change; give --max-trials, --parallel, --max-failed, --max-duration or --max-cost")
	}
	return b, more, nil
}
