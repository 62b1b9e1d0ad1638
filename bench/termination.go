package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/bench/report"
	"github.com/tuned-hpo/tuned/bench/run"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// terminationFlags are the flags of the termination command.
type terminationFlags struct {
	runFlags
	shares              string
	least, ahead, every int
}

// terminationCommand replays runs, and says what would have been saved and lost if each had ended where the model
// expects less of further trials than some share of the interquartile range of the losses.
func terminationCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := terminationFlags{runFlags: runFlags{peers: "none", baseline: "none"}}
	flags := newFlags("termination", "", stderr)
	flags.StringVar(&f.suites, "suite", "quick/bbob24-d5,quick/mixint24-d5,quick/noisy24-30-d5", "`NAMES` of suites of one objective")
	flags.StringVar(&f.ours, "ours", "auto", "`NAME` of the built-in algorithm whose runs are replayed")
	flags.StringVar(&f.shares, "shares", "0.1,0.03,0.01,0.003,0.001", "`SHARES` of the interquartile range, as minImprovement is")
	flags.IntVar(&f.least, "least", 20, "trials before any end")
	flags.IntVar(&f.ahead, "ahead", 10, "trials that are looked ahead")
	flags.IntVar(&f.every, "every", 2, "trials from one look to the next")
	flags.IntVar(&f.workers, "workers", 2, "runs at a time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if f.least < 1 || f.ahead < 1 || f.every < 1 || f.workers < 1 {
		return errors.New("-least, -ahead, -every and -workers must be at least 1")
	}
	var shares []float64
	for _, text := range list(f.shares) {
		share, err := strconv.ParseFloat(text, 64)
		if err != nil || !(share > 0) {
			return fmt.Errorf("-shares: want numbers above 0, got %q", text)
		}
		shares = append(shares, share)
	}
	return f.replay(ctx, shares, stdout, stderr)
}

// replay makes the runs, or takes those that are kept, and prints a table.
func (f *terminationFlags) replay(ctx context.Context, shares []float64, stdout, stderr io.Writer) error {
	def, err := builtin.Registry().Lookup(f.ours)
	if err != nil {
		return err
	}
	if def.Remaining == nil {
		return fmt.Errorf("algorithm %s cannot tell what remains", f.ours)
	}
	queue, failures, err := f.queue(ctx, nil, stderr)
	if err != nil {
		return err
	}
	p := newProgress(stderr, f.ours, "")
	queue.Progress = p.take
	runs, failed, err := queue.Run(ctx)
	p.end()
	if err != nil {
		return errors.Join(err, nothing(append(failures, failed...)))
	}
	table := &report.Table{
		Title:  fmt.Sprintf("Ended where the next %d trials are expected to improve the best by less than a share of the interquartile range", f.ahead),
		Header: []string{"suite", "share", "runs", "ended", "trials saved", "regret lost, dex", "missed, IQR", "false"},
		Left:   true,
	}
	for _, suite := range list(f.suites) {
		looks, err := f.looks(ctx, def, suite, queue.Tasks, runs)
		if err != nil {
			return err
		}
		for _, share := range shares {
			table.Add(verdictOf(looks, share).cells(suite, share)...)
		}
	}
	table.Plain(stdout)
	fmt.Fprintln(stdout, "Means over all runs. Missed is what the run went on to improve, in interquartile ranges when it ended; false is the share of ends after\n"+
		"which the trials that were looked ahead improved by more than the share.")
	return nil
}

// look is what was expected after some trials of a run.
type look struct {
	trials    int
	remaining algorithms.Remaining
}

// replayed is a run with what was expected on the way.
type replayed struct {
	run   *run.Trajectory
	ahead int
	looks []look
}

// looks replays the runs of the algorithm on a suite.
func (f *terminationFlags) looks(ctx context.Context, def algorithms.Definition, suite string, tasks []run.Task, runs []*run.Trajectory) ([]replayed, error) {
	values, err := algorithms.Parse(def, nil, "")
	if err != nil {
		return nil, err
	}
	chosen, err := chooseSuites([]string{suite})
	if err != nil {
		return nil, err
	}
	var out []replayed
	for _, tr := range runs {
		at := slices.IndexFunc(tasks, func(t run.Task) bool {
			return t.Problem.Name == tr.Problem && t.Suite == tr.Suite && t.Workers == tr.Workers
		})
		if tr.Optimizer != f.ours || at < 0 || tr.Suite != fullName(chosen[0].Suite) || tr.Workers != chosen[0].workers {
			continue
		}
		t := tasks[at]
		p := algorithms.Problem{Space: t.Problem.Space, Objectives: t.Problem.Objectives, MaxTrials: t.Problem.Budget, Parallel: t.Workers}
		if p.Objectives > 1 || t.Problem.Constraints > 0 {
			return nil, fmt.Errorf("suite %s has several objectives, or constraints", suite)
		}
		r := replayed{run: tr, ahead: f.ahead}
		finished := told(tr)
		for n := f.least; n < len(finished) && ctx.Err() == nil; n += f.every {
			if left, err := def.Remaining(p, values, finished[:n], f.ahead); err == nil {
				r.looks = append(r.looks, look{n, left})
			}
		}
		out = append(out, r)
	}
	return out, ctx.Err()
}

// told returns the trials of a run as its algorithm was told them.
func told(tr *run.Trajectory) []algorithms.Trial {
	out := make([]algorithms.Trial, len(tr.Points))
	for i := range out {
		out[i] = algorithms.Trial{ID: tr.IDs[i], Point: searchspace.Point(tr.Points[i]), State: algorithms.Succeeded, Losses: tr.Losses[i]}
		if math.IsNaN(tr.Losses[i][0]) {
			out[i].State = algorithms.Failed
		}
	}
	return out
}

// ending is what it means to end runs at a share.
type ending struct{ runs, ended, saved, dex, missed, wrong float64 }

// verdictOf ends each run at the first look that expects less than the share.
func verdictOf(runs []replayed, share float64) (e ending) {
	for _, r := range runs {
		e.runs++
		for _, l := range r.looks {
			if l.remaining.Improvement >= share*l.remaining.Spread {
				continue
			}
			all := len(r.run.Losses)
			e.ended++
			e.saved += float64(all-l.trials) / float64(all)
			e.dex += r.run.LogRegret[l.trials-1] - r.run.LogRegret[all-1]
			e.missed += (leastLoss(r.run, l.trials) - leastLoss(r.run, all)) / l.remaining.Spread
			if leastLoss(r.run, l.trials)-leastLoss(r.run, min(all, l.trials+r.ahead)) > share*l.remaining.Spread {
				e.wrong++
			}
			break
		}
	}
	return e
}

// leastLoss is the least that was told of the first n trials.
func leastLoss(tr *run.Trajectory, n int) float64 {
	least := math.Inf(1)
	for _, l := range tr.Losses[:n] {
		if l[0] < least {
			least = l[0]
		}
	}
	return least
}

func (e ending) cells(suite string, share float64) []string {
	percent := func(part, of float64) string { return fmt.Sprintf("%.0f %%", 100*part/max(1, of)) }
	return []string{
		suite, strconv.FormatFloat(share, 'g', -1, 64), fmt.Sprintf("%.0f", e.runs), percent(e.ended, e.runs), percent(e.saved, e.runs),
		fmt.Sprintf("%.2f", e.dex/max(1, e.runs)), fmt.Sprintf("%.3f", e.missed/max(1, e.runs)), percent(e.wrong, e.ended),
	}
}
