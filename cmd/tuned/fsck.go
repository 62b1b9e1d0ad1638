package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tuned-hpo/tuned/pkg/store"
)

func (a *app) fsckCommand() *cobra.Command {
	var p place
	c := &cobra.Command{
		Use:   "fsck",
		Short: "Check a data directory and report what is broken",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.fsck(c, &p)
		},
	}
	p.dataFlag(c, a.getenv)
	return c
}

func (a *app) fsck(c *cobra.Command, p *place) error {
	s, err := p.openStore(true)
	if err != nil {
		return fmt.Errorf("check data directory: %w", err)
	}
	defer s.Close()
	findings, err := store.Check(c.Context(), s, nil)
	if err != nil {
		return fmt.Errorf("check data directory: %w", err)
	}
	for _, f := range findings {
		fmt.Fprintln(a.stdout, f)
	}
	if len(findings) > 0 {
		return exit{exitError, fmt.Errorf("check data directory: %d findings", len(findings))}
	}
	fmt.Fprintf(a.stdout, "ok: %s\n", p.dataDir)
	return nil
}
