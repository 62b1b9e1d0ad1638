//go:build failpoint

package simulate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

// disk is what outlives the daemon.
type disk interface {
	// open opens the store on what is durable.
	open() (store.Store, error)
	// crash makes what is durable now all that the next open finds.
	crash() error
}

// memory is a disk that is not one.
type memory struct{ is *storetest.Memory }

func newMemory() *memory { return &memory{storetest.NewMemory()} }

func (m *memory) open() (store.Store, error) {
	m.is = m.is.Reopen()
	return m.is, nil
}

func (m *memory) crash() error { return nil } // the gate lets nothing more through

// folder is a real disk. What a dead daemon still does, it does to a folder that nobody opens again.
type folder struct {
	parent string
	n      int
}

func (f *folder) path() string { return filepath.Join(f.parent, fmt.Sprint(f.n)) }

func (f *folder) open() (store.Store, error) {
	return badger.Open(f.path(), badger.Options{Ballast: -1, Log: zerolog.Nop()})
}

func (f *folder) crash() error {
	from := f.path()
	f.n++
	return exec.Command("cp", "-r", "--sparse=always", from, f.path()).Run()
}

// tidy removes what no life uses.
func (f *folder) tidy() error {
	if f.n == 0 {
		return nil
	}
	return os.RemoveAll(filepath.Join(f.parent, fmt.Sprint(f.n-1)))
}

var (
	errDead   = errors.New("the daemon is dead")
	errBroken = errors.New("the disk is broken")
)

// gate is the store as one life of the daemon has it: it may be full, it may fail, and it does nothing
// for the dead.
type gate struct {
	store.Store
	sim    *sim
	dead   *atomic.Bool
	fails  atomic.Bool // the next write does
	broken atomic.Bool // and so all later ones
	tight  atomic.Bool // there is space for measurements alone
}

func (g *gate) write(act func() error) error {
	return g.change(act, true)
}

// change makes a write, of which some need space.
func (g *gate) change(act func() error, space bool) error {
	_ = g.sim.point("disk.before")
	switch {
	case g.dead.Load():
		return errDead
	case g.broken.Load() || g.fails.Load():
		if !g.broken.Swap(true) {
			g.sim.diskFailed = time.Now()
		}
		return errBroken
	case space && g.sim.isFull():
		return fmt.Errorf("simulated: %w", store.ErrFull)
	}
	err := act()
	_ = g.sim.point("disk.after")
	if g.dead.Load() {
		return errDead
	}
	return err
}

func (g *gate) Create(ctx context.Context, e *experiment.Experiment) error {
	return g.write(func() error { return g.Store.Create(ctx, e) })
}

func (g *gate) Commit(ctx context.Context, k experiment.Key, c store.Change) (revision uint64, err error) {
	err = g.write(func() error {
		if g.tight.Load() {
			return fmt.Errorf("simulated: %w", store.ErrFull)
		}
		revision, err = g.Store.Commit(ctx, k, c)
		return err
	})
	return revision, err
}

func (g *gate) Delete(ctx context.Context, k experiment.Key) error {
	return g.change(func() error { return g.Store.Delete(ctx, k) }, false)
}

func (g *gate) Append(ctx context.Context, s experiment.Stream, ms []experiment.Measurement) (acked uint64, err error) {
	err = g.write(func() error { acked, err = g.Store.Append(ctx, s, ms); return err })
	return acked, err
}
