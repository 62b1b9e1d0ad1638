package badger

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

func TestMain(m *testing.M) {
	if run, ok := children[os.Getenv(childEnv)]; ok {
		os.Exit(run())
	}
	goleak.VerifyTestMain(m)
}

// small are options for stores that live for one test.
var small = Options{Reserve: 1 << 20, Ballast: -1}

func mustOpen(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (store.Store, func() store.Store) {
		dir := t.TempDir()
		s := mustOpen(t, dir)
		return s, func() store.Store {
			mustClose(t, s)
			s = mustOpen(t, dir)
			return s
		}
	})
}
