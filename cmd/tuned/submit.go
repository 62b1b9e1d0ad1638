package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// submitFlags are the flags of the submit command.
type submitFlags struct {
	runFlags
	at     place
	wait   bool
	dryRun bool
	format string
}

func (a *app) submitCommand() *cobra.Command {
	var f submitFlags
	c := &cobra.Command{
		Use:        "submit FILE [-- COMMAND [ARG...]]",
		SuggestFor: []string{"create", "apply", "start", "add"},
		Short:      "Hand an experiment to the daemon",
		Long: `Hand an experiment to the daemon and return. FILE and COMMAND are those of tuned run; templates,
images and the working directory are resolved here. Submitting the same again changes nothing.
What it takes over from the experiments of spec.tuned.warmStart is said. With --wait the experiment
is followed to its end, and exit codes are those of tuned run; Ctrl-C then leaves it to the daemon.`,
		Example: `  tuned submit experiment.yaml
  tuned submit experiment.yaml --wait -- python3 train.py '--lr=${trialParameters.lr}'`,
		Args:              fileAndCommand,
		ValidArgsFunction: completeFiles,
		RunE: func(c *cobra.Command, args []string) error {
			return a.submit(c, &f, args[0], args[1:])
		},
	}
	f.registerExperiment(c)
	f.at.connectionFlags(c, a.getenv)
	f.registerProgress(c)
	c.Flags().BoolVar(&f.wait, "wait", false, "follow the experiment to its end")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "let the daemon check the experiment, and create nothing")
	formatFlag(c, &f.format, printing(messageShape(&tunedv1.Experiment{})), "table", "json", "yaml", "csv", "name", jsonPath)
	return c
}

func (f *submitFlags) check() error {
	if f.wait && (f.format != "table" || f.dryRun) {
		return usage("--wait: it prints the progress of what was submitted; leave out -o and --dry-run")
	}
	return f.checkProgress()
}

func (a *app) submit(c *cobra.Command, f *submitFlags, file string, command []string) error {
	if err := f.check(); err != nil {
		return err
	}
	f.dataDir = f.at.dataDir
	cfg, err := f.configure(c.Flags(), a.getenv)
	if err != nil {
		return err
	}
	if !c.Flags().Changed("data-dir") {
		f.at.dataDir = cfg.DataDir // of the config file
	}
	r, err := a.read(&source{file, command, &f.runFlags, c.Flags()}, &cfg)
	if err != nil {
		return err
	}
	ctx, _, stop := interruptible(c.Context())
	defer stop()
	err = f.at.asking(ctx, func(c *client) error { return a.create(ctx, c, f, r.Experiment) })
	if err == nil && f.wait {
		err = a.followRemote(ctx, &f.at, r.Experiment.Key(), f.progress)
	}
	if cutShort(ctx, err) && !errors.As(err, new(exit)) {
		return exit{exitInterrupted, nil}
	}
	if e := (exit{}); err != nil && !errors.As(err, &e) {
		return fmt.Errorf("submit experiment: %w", err)
	}
	return err
}

// create has the daemon create an experiment, and says what came of it unless the experiment is followed.
func (a *app) create(ctx context.Context, c *client, f *submitFlags, e *experiment.Experiment) error {
	request, err := creation(e)
	if err != nil {
		return err
	}
	request.ValidateOnly, request.Strict = f.dryRun, f.strict
	key := e.Key()
	_, unknown := c.GetExperiment(ctx, &tunedv1.GetExperimentRequest{Namespace: key.Namespace, Name: key.Name})
	created, err := c.CreateExperiment(ctx, request)
	if err != nil {
		return f.at.extendInstead(true, e, rpcError(err))
	}
	a.sayWhatIsKnown(e, learnedIn(created))
	if f.wait {
		return nil // followed by connections of its own
	}
	return a.printSubmitted(f, created, unknown == nil)
}

// printSubmitted says what was submitted; known: it was there already.
func (a *app) printSubmitted(f *submitFlags, e *tunedv1.Experiment, known bool) error {
	name := e.GetNamespace() + "/" + e.GetName()
	switch f.format {
	case "table":
		did := "submitted"
		switch {
		case f.dryRun:
			did = "can be submitted"
		case known:
			did = "is there already, as it is submitted"
		}
		fmt.Fprintf(a.stdout, "%s %s\n", name, did)
		return nil
	case "name":
		fmt.Fprintln(a.stdout, name)
		return nil
	case "csv":
		return experimentTable([]*tunedv1.Experiment{e}, f.format, true, false, time.Now()).print(a.stdout, f.format)
	}
	tree, err := treeOf(e)
	if err != nil {
		return err
	}
	return printAs(a.stdout, f.format, tree)
}

// submit creates an experiment that was read here.
func (c *client) submit(ctx context.Context, e *experiment.Experiment) (*tunedv1.Experiment, error) {
	request, err := creation(e)
	if err != nil {
		return nil, err
	}
	created, err := c.CreateExperiment(ctx, request)
	return created, rpcError(err)
}

// creation is the request that creates an experiment which was read here.
func creation(e *experiment.Experiment) (*tunedv1.CreateExperimentRequest, error) {
	sent := *e
	sent.Local = experiment.Local{}
	manifest, err := json.Marshal(&sent)
	if err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	r := &tunedv1.CreateExperimentRequest{Namespace: e.Metadata.Namespace, Manifest: quietJSON(string(manifest))}
	if !e.External() {
		r.Local = &tunedv1.Local{Dir: e.Local.Dir, Command: e.Local.Command, Template: e.Local.Template, Images: map[string]*tunedv1.Words{}}
		for image, words := range e.Local.Images {
			r.Local.Images[image] = &tunedv1.Words{Words: words}
		}
	}
	return r, nil
}
