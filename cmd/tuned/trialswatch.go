package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// lookAgain is how often watched trials are looked at for what they measure, of which no change tells.
const lookAgain = 2 * time.Second

// watchTrials prints the trials, then each again when it changes, until the experiment is settled.
func (a *app) watchTrials(ctx context.Context, f *trialsFlags, key experiment.Key) error {
	w := trialsWatch{app: a, flags: f, shown: map[uint64]string{}}
	look := func(c *client) (settled bool, err error) {
		l, err := c.trialList(ctx, key, f.filter)
		if err != nil {
			return false, err
		}
		return l.message.GetSettled() || !c.daemon, w.show(&l)
	}
	return a.watching(ctx, &f.place, key, look)
}

// watching calls look after each change of an experiment and from time to time, until it says that what it looks at has
// ended; once where no daemon answers.
func (a *app) watching(ctx context.Context, p *place, key experiment.Key, look func(c *client) (ended bool, err error)) error {
	driven := false
	err := p.reading(ctx, func(c *client) error {
		if driven = c.daemon; driven {
			return nil // watched below
		}
		_, err := look(c)
		return err
	})
	if err != nil || !driven {
		return err
	}
	return p.following(ctx, a.stderr, func(c *client) error { return c.lookOften(ctx, key, look) })
}

// lookOften calls look after each change of an experiment and from time to time, until it says that it is settled.
func (c *client) lookOften(ctx context.Context, key experiment.Key, look func(c *client) (settled bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	feed, err := c.watch(ctx, &tunedv1.WatchRequest{Namespace: key.Namespace, Experiment: key.Name})
	if err != nil {
		return c.about(ctx, key, err)
	}
	changed, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		for {
			if _, err := feed.Recv(); err != nil {
				ended <- rpcError(err)
				return
			}
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	turns := time.NewTicker(lookAgain)
	defer turns.Stop()
	for {
		if settled, err := look(c); settled || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-turns.C:
		case err := <-ended:
			if errors.Is(err, io.EOF) {
				return errEnded
			}
			return err
		}
	}
}

// trialsWatch prints the trials that differ from how they were printed last.
type trialsWatch struct {
	app   *app
	flags *trialsFlags
	shown map[uint64]string // as JSON, by number
	out   rowPrinter
}

func (w *trialsWatch) show(l *trialList) error {
	all := l.records
	l.records = nil
	for i := range all {
		now, err := json.Marshal(all[i])
		if err != nil {
			return err
		}
		if n := all[i].Number; w.shown[n] != string(now) {
			w.shown[n] = string(now)
			l.records = append(l.records, all[i])
		}
	}
	switch w.flags.format {
	case "table", "csv":
		t := l.table(w.flags.format)
		w.out.changed(t, 1, "")
		return w.out.print(w.app, t, w.flags.format)
	case "json":
		for i := range l.records {
			if err := writeLine(w.app.stdout, l.records[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(l.records) == 0 {
		return nil
	}
	return w.app.printTrials(l, w.flags.format)
}

// writeLine writes a value as JSON in one line.
func writeLine(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, quietJSON(string(text)))
	return err
}
