package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) deleteCommand() *cobra.Command {
	var p place
	var yes bool
	c := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete an experiment with its trials, measurements and logs",
		Args:  cobra.ExactArgs(1),
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
	s, err := p.openStore(false)
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
	if err := s.Delete(c.Context(), e.Key()); err != nil {
		return err
	}
	if dir := logsOf(e, p.dataDir); dir != "" {
		if err := os.RemoveAll(string(dir)); err != nil {
			return fmt.Errorf("%s is deleted, its logs are not: %w", e.Key(), err)
		}
	}
	fmt.Fprintf(a.stdout, "%s deleted\n", e.Key())
	return nil
}

// confirm asks a question; only an answer that begins with y is a yes.
func (a *app) confirm(question string) bool {
	fmt.Fprint(a.stderr, question)
	line, _ := bufio.NewReader(a.stdin).ReadString('\n')
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "y")
}
