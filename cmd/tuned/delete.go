package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/local"
)

func (a *app) deleteCommand() *cobra.Command {
	var p place
	var yes bool
	c := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete an experiment with its trials, measurements and logs",
		Args:  words(1, 1, "NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.delete(c, &p, args[0], yes); err != nil {
				return fmt.Errorf("delete experiment: %w", err)
			}
			return nil
		},
	}
	p.flags(c, a.getenv)
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (a *app) delete(c *cobra.Command, p *place, name string, yes bool) error {
	d, err := p.dir()
	if err != nil {
		return err
	}
	s, err := openStore(c.Context(), d, badger.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	e, err := p.get(c.Context(), s, name)
	if err != nil {
		return err
	}
	if !yes && !a.confirm(fmt.Sprintf("Delete %s, its %d trials and their logs? [y/N] ", e.Key(), e.Status.Trials)) {
		return errors.New("not confirmed; nothing was deleted (--yes deletes without asking)")
	}
	if err := remove(c.Context(), s, e, p.dataDir); err != nil {
		return fmt.Errorf("%w; run the same command again to finish", err)
	}
	fmt.Fprintf(a.stdout, "%s deleted\n", e.Key())
	return nil
}

// deleter is what deleting needs of a store.
type deleter interface {
	Delete(ctx context.Context, key experiment.Key) error
}

// remove deletes all of an experiment. The record goes last: while it is there, the trials have an
// owner, and who was killed in between can begin again.
func remove(ctx context.Context, s deleter, e *experiment.Experiment, dir string) error {
	if err := removeTrials(ctx, e, dir); err != nil {
		return fmt.Errorf("remove trials and logs of %s: %w", e.Key(), err)
	}
	return s.Delete(ctx, e.Key())
}

// removeTrials ends what still runs of an experiment, which only a daemon that was killed leaves
// behind, and removes its folder.
func removeTrials(ctx context.Context, e *experiment.Experiment, dir string) error {
	folder := logsOf(e, dir)
	if folder == "" {
		return nil
	}
	r, err := local.New(local.Config{Dir: dataDir(absolute(dir)).trials()})
	if err != nil {
		return err
	}
	defer r.Close()
	for left := true; left; {
		if left, err = removeEnded(ctx, r, e.Key()); err != nil {
			return err
		}
		if left {
			select {
			case <-r.Changed():
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return os.RemoveAll(string(folder))
}

// removeEnded stops the workloads that run, removes the others, and reports whether any is left.
func removeEnded(ctx context.Context, r trialrunner.Runner, key experiment.Key) (left bool, err error) {
	workloads, err := r.List(ctx, key)
	if err != nil {
		return false, err
	}
	for _, w := range workloads {
		act := r.Remove
		if w.Phase == trialrunner.Running {
			act, left = r.Stop, true
		}
		if err := act(ctx, key, w.Trial, w.Attempt); err != nil {
			return false, err
		}
	}
	return left, nil
}

// confirm asks a question; only an answer that begins with y is a yes.
func (a *app) confirm(question string) bool {
	fmt.Fprint(a.stderr, question)
	line, _ := bufio.NewReader(a.stdin).ReadString('\n')
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "y")
}
