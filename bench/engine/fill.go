package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

// chunk is the number of trials that are filled in at a time, so that they share syncs of the disk.
const chunk = 1000

// fill makes a store with one experiment whose trials have succeeded, as the daemon would have
// left it.
func (b *bench) fill(ctx context.Context, dir, text string) (err error) {
	s, err := badger.Open(dir, badger.Options{Log: zerolog.Nop()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	e, err := filled(text)
	if err != nil {
		return err
	}
	if err := s.Create(ctx, e); err != nil {
		return err
	}
	if e, err = s.Get(ctx, key); err != nil {
		return err
	}
	trials, all := make([]experiment.Trial, b.trials), make([][]experiment.Measurement, b.trials)
	for i := range trials {
		trials[i], all[i] = trialOf(e, uint64(i+1), b.perTrial)
	}
	revision := e.Revision
	for part := range slices.Chunk(trials, chunk) {
		if revision, err = fillTrials(ctx, s, revision, part, all[part[0].Number-1:]); err != nil {
			return err
		}
	}
	return nil
}

// filled returns the experiment as tuned run reads it in this process's folder.
func filled(text string) (*experiment.Experiment, error) {
	r := experiment.Read(key.Name, []byte(text), experiment.Options{})
	if len(r.Faults) > 0 {
		return nil, r.Faults
	}
	now := time.Now()
	e := r.Experiment
	e.Metadata.UID, e.Metadata.Created, e.Status = key.Name, &now, experiment.NewStatus(now)
	dir, err := os.Getwd()
	e.Local.Dir = dir
	return e, err
}

// trialOf returns a trial that has succeeded, with its measurements.
func trialOf(e *experiment.Experiment, number uint64, perTrial int) (experiment.Trial, []experiment.Measurement) {
	now := time.Now()
	ms := make([]experiment.Measurement, perTrial)
	for i := range ms {
		value := 1 / float64(uint64(i)+number)
		ms[i] = experiment.Measurement{
			Seq: uint64(i + 1), Time: now, Step: int64(i + 1),
			Metric: e.Spec.Objective.ObjectiveMetricName, Value: value, Text: strconv.FormatFloat(value, 'g', 6, 64),
		}
	}
	return experiment.Trial{
		Number: number, Name: experiment.TrialName(key.Name, e.Metadata.UID, number), Attempt: 1,
		Assignment: searchspace.Assignment{{Name: "x", Value: spread(int(number))}},
		State:      experiment.TrialSucceeded, Reason: "TrialSucceeded", Message: "Trial has succeeded",
		FinishNo: number, Observation: experiment.Observe(e.Spec.Objective, ms),
		Created: now, Started: now, Finished: now,
	}, ms
}

// fillTrials stores trials as running, their measurements, and their ends.
func fillTrials(ctx context.Context, s store.Store, revision uint64, trials []experiment.Trial, ms [][]experiment.Measurement) (uint64, error) {
	running := slices.Clone(trials)
	for i := range running {
		running[i].State, running[i].FinishNo, running[i].Observation = experiment.TrialRunning, 0, experiment.Observation{}
	}
	revision, err := s.Commit(ctx, key, store.Change{Revision: revision, Create: running})
	if err != nil {
		return 0, err
	}
	var group errgroup.Group
	for i := range trials {
		group.Go(func() error {
			stream := experiment.Stream{Experiment: key, Number: trials[i].Number, Attempt: 1, Source: "agent"}
			acked, err := s.Append(ctx, stream, ms[i])
			if err == nil && acked != uint64(len(ms[i])) {
				err = fmt.Errorf("%d of %d observations of trial %d are stored", acked, len(ms[i]), stream.Number)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return s.Commit(ctx, key, store.Change{Revision: revision, Update: trials})
}
