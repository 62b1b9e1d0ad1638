package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/local"
)

func (a *app) fsckCommand() *cobra.Command {
	var p place
	var acceptLoss bool
	c := &cobra.Command{
		Use:   "fsck",
		Short: "Check a data directory and report what is broken",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.fsck(c, &p, acceptLoss)
		},
	}
	p.dataFlag(c, a.getenv)
	c.Flags().BoolVar(&acceptLoss, "accept-loss", false, "go on with a store that has lost what it had acknowledged")
	return c
}

func (a *app) fsck(c *cobra.Command, p *place, acceptLoss bool) error {
	findings, err := p.check(c.Context(), acceptLoss)
	if err != nil {
		return fmt.Errorf("check data directory: %w", err)
	}
	for _, f := range findings {
		fmt.Fprintln(a.stdout, f)
	}
	if len(findings) > 0 {
		return exit{exitError, fmt.Errorf("check data directory: findings above: %d", len(findings))}
	}
	fmt.Fprintf(a.stdout, "ok: %s\n", p.dataDir)
	return nil
}

// check looks for broken invariants in the store and among the processes that work for it.
func (p *place) check(ctx context.Context, acceptLoss bool) ([]store.Finding, error) {
	d, err := p.dir()
	if err != nil {
		return nil, err
	}
	s, err := openStore(ctx, d, badger.Options{ReadOnly: !acceptLoss, AcceptLoss: acceptLoss})
	if errors.Is(err, store.ErrCorrupt) {
		return []store.Finding{{
			Invariant: "I11", Found: err.Error(),
			Action: "keep a copy of the directory before anything else",
		}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer s.Close()
	alive, err := local.Alive(d.trials())
	if err != nil {
		return nil, err
	}
	experiments, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range experiments {
		if _, some := alive[e.Key()]; !some {
			alive[e.Key()] = nil
		}
	}
	return s.Check(ctx, alive)
}
