package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

const runHelp = `Run an experiment on this machine until its goal is reached or its budget is used up.

FILE is an Experiment as Katib takes it; - reads standard input. The command of its trial
template runs as a local process for each trial. Words after -- replace the template; there
${trialParameters.NAME} stands for a parameter. Without template and command the experiment
waits for "tuned ask" and "tuned tell".

While tuned serve has the data directory, the experiment is handed to it and followed.

Running the same command again goes on where the last run ended, and prints the result when
there is nothing left to do.

Exit codes: 0 goal reached, or budget used up with no goal set; 3 goal not reached; 4 the
experiment failed or no trial has a result; 74 the store could not be written to; 130 interrupted;
2 wrong flags or files; 1 other.`

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run FILE [-- COMMAND [ARG...]]",
		Short: "Run an experiment on this machine",
		Long:  runHelp,
		Example: `  tuned run experiment.yaml
  tuned run experiment.yaml -- python3 train.py '--lr=${trialParameters.lr}'`,
		Args:              fileAndCommand,
		ValidArgsFunction: completeFiles,
		RunE: func(c *cobra.Command, args []string) error {
			return a.run(c, &f, args[0], args[1:])
		},
	}
	f.registerExperiment(c)
	f.registerSlots(c, a.getenv)
	f.registerProgress(c)
	return c
}

// fileAndCommand accepts one file, and a command after --.
func fileAndCommand(c *cobra.Command, args []string) error {
	before := len(args)
	if dash := c.ArgsLenAtDash(); dash >= 0 {
		before = dash
		if dash == len(args) {
			return usage("%s: no command follows --; want FILE -- COMMAND [ARG...]", c.Name())
		}
	}
	if before != 1 {
		return usage("%s: want one FILE, got %d; a command goes after --", c.Name(), before)
	}
	return nil
}

func (a *app) run(c *cobra.Command, f *runFlags, file string, command []string) error {
	if err := f.checkProgress(); err != nil {
		return err
	}
	cfg, err := f.configure(c.Flags(), a.getenv)
	if err != nil {
		return err
	}
	e, err := a.prepare(&source{file, command, f, c.Flags()}, &cfg)
	if err != nil {
		return err
	}
	syscall.Umask(0o077) // before the store makes files that others may read
	ctx, second, stop := interruptible(c.Context())
	defer stop()
	outliveWrites()
	driving, d, err := a.startDaemon(ctx, &cfg, role{prepare: refuseBeside, drain: lastAnswers})
	if errors.Is(err, store.ErrLocked) && dataDir(cfg.DataDir).served() {
		f.warnUnused(c.Flags(), cfg.DataDir, a.stderr)
		return a.runBeside(ctx, dataDir(cfg.DataDir), e, f.progress, err)
	}
	if cutShort(ctx, err) {
		return exit{exitInterrupted, nil}
	}
	if err != nil {
		return fmt.Errorf("run experiment: %w", err)
	}
	err = a.tune(driving, d, e, f.progress, second)
	return errors.Join(err, d.close(driving))
}

// refuseBeside keeps clients from creating experiments beside that of a run, which would end with it.
func refuseBeside(*experiment.Experiment) error {
	return fmt.Errorf("tuned run drives one experiment alone; tuned serve takes any number: %w", store.ErrConflict)
}

// runBeside hands an experiment to the daemon that has the data directory and follows it. locked is the error
// when that is no daemon that takes experiments.
func (a *app) runBeside(ctx context.Context, dir dataDir, e *experiment.Experiment, mode string, locked error) error {
	c, err := dir.dial()
	if err != nil {
		return fmt.Errorf("run experiment: %w", err)
	}
	c.at = a.placeOf(dir)
	defer c.Close()
	created, err := c.submit(ctx, e)
	switch {
	case cutShort(ctx, err):
		return exit{exitInterrupted, nil}
	case status.Code(err) == codes.FailedPrecondition:
		return fmt.Errorf("run experiment: %w", locked)
	case err != nil:
		return fmt.Errorf("run experiment: %w", c.at.extendInstead(true, e, err))
	}
	a.sayWhatIsKnown(e, learnedIn(created))
	a.sayWhatIsChosen(&e.Spec)
	fmt.Fprintf(a.stderr, "%s runs in the daemon of %s; Ctrl-C leaves it there\n", e.Metadata.Name, dir)
	if e.External() {
		a.sayHowToAsk(e.Key(), dir)
	}
	return a.followRemote(ctx, c.at, e.Key(), mode)
}

// tune drives one experiment to its end and prints its result.
func (a *app) tune(ctx context.Context, d *daemon, e *experiment.Experiment, mode string, second <-chan os.Signal) error {
	submitted, err := d.tuner.Submit(ctx, e)
	switch {
	case cutShort(ctx, err):
		return exit{exitInterrupted, nil}
	case err != nil:
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("run experiment: %w", a.placeOf(d.dir).extendInstead(false, e, err))
	case e.External():
		a.sayHowToAsk(e.Key(), d.dir)
	}
	a.sayWhatIsKnown(e, learnedBy(submitted))
	a.sayWhatIsChosen(&e.Spec)
	look := func() (tuner.Snapshot, error) { return d.tuner.Snapshot(e.Key()) } //nolint:contextcheck // a snapshot is read from memory
	if mode == "none" {
		look = func() (tuner.Snapshot, error) { return d.end(ctx, e.Key()) }
	}
	changes, cancel := d.tuner.Watch(e.Key())
	defer cancel()
	s, err := follow(ctx, changes, look, a.newView(mode), time.Now())
	switch cause := context.Cause(ctx); {
	case err == nil:
		return a.conclude(s, d.dir, mode)
	case errors.Is(cause, errInterrupted):
		if err := a.interrupt(ctx, d.tuner, s, second); err != nil {
			return err
		}
		if s, err = d.tuner.Load(context.WithoutCancel(ctx), e.Key()); err != nil {
			return fmt.Errorf("run experiment: %w", err)
		}
		return a.conclude(s, d.dir, mode)
	case cause != nil:
		return fmt.Errorf("run experiment: %w", cause)
	}
	return fmt.Errorf("run experiment: %w", err)
}

// end is an experiment without its trials, which may be many, until it is settled.
func (d *daemon) end(ctx context.Context, key experiment.Key) (s tuner.Snapshot, err error) {
	err = d.tuner.Inspect(ctx, key, func(all *tuner.Snapshot) error { s = *all; return nil })
	if err == nil && s.Settled {
		return d.tuner.Snapshot(key) //nolint:contextcheck // a snapshot is read from memory
	}
	s.Trials = nil
	return s, err
}

// conclude prints the result and returns the exit code that it stands for.
func (a *app) conclude(s tuner.Snapshot, dir dataDir, mode string) error {
	r := newResult(s.Experiment, s.Trials, logsOf(s.Experiment, string(dir)), time.Now())
	if mode == "json" {
		writeJSON(a.stdout, r)
	} else {
		r.print(a.text())
		if text := outlookText(s.Experiment, s.Trials); text != "" {
			fmt.Fprintf(a.text(), "Outlook:     %s\n", visible(text))
		}
	}
	if r.ExitCode == exitOK {
		return nil
	}
	return exit{r.ExitCode, nil}
}

// sayHowToAsk tells how an experiment without a command is evaluated.
func (a *app) sayHowToAsk(key experiment.Key, dir dataDir) {
	p := a.placeOf(dir)
	fmt.Fprintf(a.stderr, "%s has no command to run and waits for you. In another terminal %s hands out a trial; tell what it found by\n",
		key.Name, p.hintOn(key, "ask"))
	fmt.Fprintf(a.stderr, "  %s\n", commandLineOf(p.on(key, "tell", "TRIAL", "METRIC=VALUE")))
}

// placeOf is the place of a data directory.
func (a *app) placeOf(dir dataDir) *place {
	return &place{dataDir: string(dir), namespace: defaultNamespace, getenv: a.getenv, here: true}
}
