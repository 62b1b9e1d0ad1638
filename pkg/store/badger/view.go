package badger

import (
	"encoding/binary"
	"fmt"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// view is what the writer remembers of experiments, so that it can judge a request without
// reading. It is filled when something is first asked for.
type view map[experiment.Key]*live

type live struct {
	id     uint64
	totals totals
	trials map[uint64]*liveTrial // the final ones are not kept
}

type liveTrial struct {
	trialHead
	streams map[experiment.Stream]head
}

// experiment returns what is known of an experiment. store.ErrNotFound.
func (v view) experiment(tx *badgerdb.Txn, key experiment.Key) (*live, error) {
	if l := v[key]; l != nil {
		return l, nil
	}
	id, err := lookup(tx, key)
	if err != nil {
		return nil, err
	}
	l := &live{id: id, trials: map[uint64]*liveTrial{}}
	if l.totals, err = readTotals(tx, id); err != nil {
		return nil, err
	}
	v[key] = l
	return l, nil
}

// lookup returns an experiment's ID. store.ErrNotFound.
func lookup(tx *badgerdb.Txn, key experiment.Key) (uint64, error) {
	var id number
	found, err := getCounters(tx, nameKey(key), &id)
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return uint64(id), err
}

// readTotals reads the record that every experiment has.
func readTotals(tx *badgerdb.Txn, id uint64) (t totals, err error) {
	found, err := getCounters(tx, idKey(kindTotals, id), &t)
	if err == nil && !found {
		err = fmt.Errorf("the record that counts its records is missing: %w", store.ErrCorrupt)
	}
	return t, err
}

// trial returns what is known of a trial. store.ErrNotFound.
func (l *live) trial(tx *badgerdb.Txn, n uint64) (*liveTrial, error) {
	if t := l.trials[n]; t != nil {
		return t, nil
	}
	if n == 0 || n > l.totals.trials {
		return nil, fmt.Errorf("trial %d of %d: %w", n, l.totals.trials, store.ErrNotFound)
	}
	t := &liveTrial{streams: map[experiment.Stream]head{}}
	found, err := getCounters(tx, idKey(kindTrial, l.id, n), &t.trialHead)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("trial %d of %d is missing: %w", n, l.totals.trials, store.ErrCorrupt)
	}
	if t.final == 0 {
		l.trials[n] = t
	}
	return t, nil
}

// head returns what is known of a stream of the trial; zero when there is nothing yet.
func (t *liveTrial) head(tx *badgerdb.Txn, id uint64, s experiment.Stream) (h head, err error) {
	h, known := t.streams[s]
	if known {
		return h, nil
	}
	if _, err = getCounters(tx, streamKey(kindStream, id, s), &h); err == nil {
		t.streams[s] = h
	}
	return h, err
}

// stream returns what is known of a stream that accepts measurements.
func (v view) stream(tx *badgerdb.Txn, s experiment.Stream) (l *live, t *liveTrial, h head, err error) {
	if l, err = v.experiment(tx, s.Experiment); err != nil {
		return nil, nil, h, err
	}
	if t, err = l.trial(tx, s.Number); err != nil {
		return nil, nil, h, err
	}
	if t.final == 1 || t.attempt != uint64(s.Attempt) {
		return nil, nil, h, fmt.Errorf("the trial is at attempt %d, final: %t: %w", t.attempt, t.final == 1, store.ErrConflict)
	}
	h, err = t.head(tx, l.id, s)
	return l, t, h, err
}

// remember takes a written trial into account.
func (l *live) remember(n uint64, h trialHead) {
	t := l.trials[n]
	switch {
	case h.final == 1:
		delete(l.trials, n)
	case t == nil || t.attempt != h.attempt:
		l.trials[n] = &liveTrial{trialHead: h, streams: map[experiment.Stream]head{}}
	}
}

// blockKey is the key of a block of measurements.
func blockKey(id uint64, s experiment.Stream, first uint64) []byte {
	return binary.BigEndian.AppendUint64(streamKey(kindBlock, id, s), first)
}
