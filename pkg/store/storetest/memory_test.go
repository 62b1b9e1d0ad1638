package storetest_test

import (
	"testing"

	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) (store.Store, func() store.Store) {
		m := storetest.NewMemory()
		return m, func() store.Store {
			m = m.Reopen()
			return m
		}
	})
}
