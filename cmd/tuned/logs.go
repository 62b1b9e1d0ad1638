package main

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// logs tells where the logs of an experiment's trials are: package local keeps a folder
// NAMESPACE/EXPERIMENT/TRIAL/ATTEMPT for each attempt.
type logs string // folder of the experiment; "" when there are no logs

// logsOf returns where an experiment's logs are below a data directory.
func logsOf(e *experiment.Experiment, dir string) logs {
	if e.External() || dir == "" {
		return ""
	}
	return logs(filepath.Join(dataDir(absolute(dir)).trials(), e.Metadata.Namespace, e.Metadata.Name))
}

// file is the log of a trial's last attempt; "" when there is none.
func (l logs) file(t *experiment.Trial) string {
	if l == "" {
		return ""
	}
	file := filepath.Join(string(l), t.Name, strconv.Itoa(t.Attempt), trialdir.LogFile)
	if _, err := os.Stat(file); err != nil {
		return "" // as of a trial that came with a backup
	}
	return file
}

// logsFlags are the flags of the logs command.
type logsFlags struct {
	place
	follow bool
	tail   int64
	try    int32
	raw    bool
}

func (a *app) logsCommand() *cobra.Command {
	var f logsFlags
	c := &cobra.Command{
		Use:   "logs NAME TRIAL",
		Short: "Print what a trial's command printed",
		Long: `Print what a trial's command printed. TRIAL is a trial's name or number. On a terminal control
characters but for colours are written out, so that a log cannot drive it.`,
		Example: `  tuned logs mnist 3 -f
  tuned logs mnist "$(tuned best mnist -o jsonpath={.trial})"`,
		Args:              words(2, 2, "NAME TRIAL"),
		ValidArgsFunction: f.completeTrials,
		RunE: func(c *cobra.Command, args []string) error {
			return doing("print log", a.logs(c.Context(), &f, args[0], args[1]))
		},
	}
	f.flags(c, a.getenv)
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on until the trial ends; one that has not begun is waited for")
	wholeVar(c.Flags(), &f.tail, "tail-bytes", 0, 0, math.MaxInt64, "begin `N` bytes before the end; 0 is the beginning")
	wholeVar(c.Flags(), &f.try, "attempt", 0, 0, math.MaxInt32, "of which attempt, `N` from 1; 0 is the current one")
	c.Flags().BoolVar(&f.raw, "raw", false, "write to a terminal exactly what was printed")
	return c
}

func (a *app) logs(ctx context.Context, f *logsFlags, name, trial string) error {
	out := a.stdout
	switch {
	case a.isTerminal() && f.raw:
		out = a.outTerminal
	case a.isTerminal():
		out = &quiet{to: a.outTerminal, returns: true}
	}
	key, printed := f.key(name), int64(0)
	print := func(c *client) error { return c.printLog(ctx, f, key, trial, out, &printed) }
	if !f.follow {
		return f.reading(ctx, print)
	}
	served := false
	err := f.reading(ctx, func(c *client) error {
		if served = c.daemon; served {
			return nil // followed below
		}
		return print(c)
	})
	if err != nil || !served {
		return err
	}
	if f.tail > 0 {
		return f.asking(ctx, print) // where it began cannot be found again
	}
	return f.following(ctx, a.stderr, print)
}

// printLog writes a log from where the last call, if it was cut off, left it. printed is how much of it has
// been written, from the beginning or from where --tail-bytes has it.
func (c *client) printLog(ctx context.Context, f *logsFlags, key experiment.Key, trial string, out io.Writer, printed *int64) error {
	request := &tunedv1.GetLogRequest{Namespace: key.Namespace, Experiment: key.Name, Trial: trial, Follow: f.follow, TailBytes: f.tail, Attempt: f.try}
	skip := *printed
	stream, err := c.GetLog(ctx, request)
	for err == nil {
		var part *tunedv1.GetLogResponse
		if part, err = stream.Recv(); err != nil {
			break
		}
		data := part.GetData()
		seen := min(skip, int64(len(data)))
		skip -= seen
		*printed += int64(len(data)) - seen
		_, err = out.Write(data[seen:])
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return c.about(ctx, key, err)
}
