package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/store"
)

func (a *app) deleteCommand() *cobra.Command {
	var p place
	var yes bool
	c := &cobra.Command{
		Use:        "delete NAME",
		SuggestFor: []string{"rm", "remove"},
		Short:      "Delete an experiment with its trials, measurements and logs",
		Long: `Delete an experiment with its trials, measurements and logs, after a question. Trials that run
are stopped first.`,
		Args:              words(1, 1, "NAME"),
		ValidArgsFunction: p.completeNames,
		RunE: func(c *cobra.Command, args []string) error {
			return doing("delete experiment", a.delete(c.Context(), &p, args[0], yes))
		},
	}
	p.flags(c, a.getenv)
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (a *app) delete(ctx context.Context, p *place, name string, yes bool) error {
	c, err := a.openWriting(ctx, p)
	if err != nil {
		return err
	}
	return errors.Join(a.deleteFrom(ctx, c, p, name, yes), c.Close())
}

func (a *app) deleteFrom(ctx context.Context, c *client, p *place, name string, yes bool) error {
	key := p.key(name)
	e, err := c.get(ctx, key)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("Delete %s with %s and what they printed? [y/N] ", key, plural(int(e.GetCounts().GetTrials()), "trial"))
	if n := e.GetCounts().GetRunning(); n > 0 {
		question = fmt.Sprintf("Stop %s that runs, and delete %s with %s and what they printed? [y/N] ", plural(int(n), "trial"), key, plural(int(e.GetCounts().GetTrials()), "trial"))
	}
	if !yes && !a.confirm(question) {
		return errors.New("not confirmed; nothing was deleted (--yes deletes without asking)")
	}
	_, err = c.DeleteExperiment(ctx, &tunedv1.DeleteExperimentRequest{Namespace: key.Namespace, Name: key.Name, Uid: e.GetUid()})
	if err != nil {
		return fmt.Errorf("%w; run the same command again to finish", rpcError(err))
	}
	fmt.Fprintf(a.stdout, "%s deleted\n", key)
	return nil
}

// openWriting connects to the daemon or, where none has the data directory, to one that runs in this process
// until the connection is closed. That one takes up no experiment but those it is asked about.
func (a *app) openWriting(ctx context.Context, p *place) (*client, error) {
	c, err := p.open(ctx)
	if err != nil || c.daemon {
		return c, err
	}
	if err := c.Close(); err != nil {
		return nil, err
	}
	cfg := defaultConfig(a.getenv)
	cfg.DataDir = c.dataDir
	ctx, d, err := a.startDaemon(ctx, &cfg, role{prepare: refuseBeside, drain: lastAnswers})
	if errors.Is(err, store.ErrLocked) && dataDir(cfg.DataDir).served() {
		return p.at(dataDir(cfg.DataDir).dial())
	}
	if err != nil {
		return nil, err
	}
	inside, err := p.at(d.dir.dial())
	if err != nil {
		return nil, errors.Join(err, d.close(ctx))
	}
	hangUp := inside.close
	inside.close = func() error { return errors.Join(hangUp(), d.close(ctx)) }
	return inside, nil
}

// confirm asks a question; only an answer that begins with y is a yes.
func (a *app) confirm(question string) bool {
	fmt.Fprint(a.stderr, question)
	line, _ := bufio.NewReader(a.stdin).ReadString('\n')
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "y")
}
