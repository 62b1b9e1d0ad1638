package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// logs tells where the logs of an experiment's trials are: package local keeps a folder
// NAMESPACE/EXPERIMENT/TRIAL/ATTEMPT for each attempt.
type logs string // folder of the experiment; "" when there are no logs

// logsOf returns where an experiment's logs are below a data directory.
func logsOf(e *experiment.Experiment, dir string) logs {
	if e.External() {
		return ""
	}
	return logs(filepath.Join(dataDir(absolute(dir)).trials(), e.Metadata.Namespace, e.Metadata.Name))
}

// file is the log of a trial's last attempt; "" when there is none.
func (l logs) file(t *experiment.Trial) string {
	if l == "" {
		return ""
	}
	return filepath.Join(string(l), t.Name, strconv.Itoa(t.Attempt), trialdir.LogFile)
}

func (a *app) logsCommand() *cobra.Command {
	var p place
	c := &cobra.Command{
		Use:   "logs NAME TRIAL",
		Short: "Print what a trial's command printed",
		Long:  "Print what a trial's command printed. TRIAL is a trial's name or number.",
		Args:  words(2, 2, "NAME TRIAL"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.logs(c, &p, args[0], args[1]); err != nil {
				return fmt.Errorf("print log: %w", err)
			}
			return nil
		},
	}
	p.flags(c, a.getenv)
	return c
}

func (a *app) logs(c *cobra.Command, p *place, name, trial string) error {
	e, trials, err := p.read(c.Context(), name)
	if err != nil {
		return err
	}
	t, ok := experiment.FindTrial(trials, trial)
	if !ok {
		return fmt.Errorf("%s has no trial %q; tuned trials shows them", e.Key(), trial)
	}
	return a.printLog(logsOf(e, p.dataDir).file(&t), &t)
}

func (a *app) printLog(file string, t *experiment.Trial) error {
	if file == "" {
		return fmt.Errorf("trial %s was evaluated by a client; no command ran here", t.Name)
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("trial %s has printed nothing yet (%s)", t.Name, t.State)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(a.stdout, f)
	return err
}
