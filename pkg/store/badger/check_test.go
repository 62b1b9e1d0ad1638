package badger

import (
	"errors"
	"strings"
	"testing"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/tuned-hpo/tuned/pkg/store"
)

// A record that is lost or changed behind the store's back is found by Check, and by the method
// that should have returned it.
func TestLostRecords(t *testing.T) {
	trials := func(s *Store) error { _, err := s.Trials(t.Context(), keyOne); return err }
	events := func(s *Store) error { _, err := s.Events(t.Context(), keyOne, 0); return err }
	stream := func(s *Store) error { _, err := s.Measurements(t.Context(), streamOne(2), 0, 0); return err }
	list := func(s *Store) error { _, err := s.List(t.Context()); return err }
	block := func(first uint64) []byte { return blockKey(1, streamOne(2), first) }
	for _, test := range []struct {
		name string
		key  []byte
		read func(s *Store) error
	}{
		{"first trial", idKey(kindTrial, 1, 1), trials},
		{"last trial", idKey(kindTrial, 1, 2), trials},
		{"event", idKey(kindEvent, 1, 1), events},
		{"first measurement", block(1), stream},
		{"middle measurement", block(2), stream},
		{"last measurement", block(4), stream},
		{"stream", streamKey(kindStream, 1, streamOne(2)), stream},
		{"totals", idKey(kindTotals, 1), trials},
		{"status", idKey(kindStatus, 1), list},
		{"experiment", idKey(kindExperiment, 1), list},
		{"name", nameKey(keyOne), list},
	} {
		for what, harm := range map[string]func(tx *badgerdb.Txn) error{
			"lost":    func(tx *badgerdb.Txn) error { return tx.Delete(test.key) },
			"changed": func(tx *badgerdb.Txn) error { return tx.Set(test.key, seal(test.key, nil)[:8]) },
		} {
			t.Run(test.name+" "+what, func(t *testing.T) {
				testLost(t, harm, test.read)
			})
		}
	}
}

func testLost(t *testing.T, harm func(tx *badgerdb.Txn) error, read func(s *Store) error) {
	dir := t.TempDir()
	newOne(t, dir, 4)
	edit(t, dir, harm)
	found, err := checkDir(t, dir, nil)
	if err != nil || len(found) == 0 {
		t.Errorf("check: got %v, %v, want a finding", found, err)
	}
	s := mustOpen(t, dir)
	defer mustClose(t, s)
	if err := read(s); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("read: got %v, want %v", err, store.ErrCorrupt)
	}
}

func TestCheckOrphans(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 1)
	edit(t, dir, func(tx *badgerdb.Txn) error {
		key := idKey(kindTrial, 9, 1)
		return tx.Set(key, seal(key, nil))
	})
	found, err := checkDir(t, dir, store.Workloads{keyOne: {"one-1", "one-2"}})
	var got []string
	for _, f := range found {
		got = append(got, f.Invariant+" "+f.Trial)
	}
	if want := "I3 ,I7 one-1"; err != nil || strings.Join(got, ",") != want {
		t.Errorf("got %v, %v, want %s", found, err, want)
	}
}

// checkDir opens the store in a directory and checks it.
func checkDir(t *testing.T, dir string, workloads store.Workloads) ([]store.Finding, error) {
	t.Helper()
	s, err := Open(dir, small)
	if err != nil {
		return nil, err
	}
	found, err := s.Check(t.Context(), workloads)
	return found, errors.Join(err, s.Close())
}
