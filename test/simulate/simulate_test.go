//go:build failpoint

package simulate

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds = flag.Uint64("seeds", 100, "how many seeds to run, from the first on")
	first = flag.Uint64("first", 1, "seed to begin with")
	disks = flag.Bool("disk", false, "have the real store below every seed")
	only  = flag.Uint64("seed", 0, "the one seed to replay, with its trace; 0 for none")
)

// Every diskEvery-th seed has the real store below it, which costs ten times as much.
const diskEvery = 20

func onDisk(seed uint64) bool { return *disks || seed%diskEvery == 0 }

// figures are what a run has gone through.
type figures struct {
	trials, pruned, faults, restarts, experiments int
	virtual                                       time.Duration
	trace                                         string // checksum
}

// run simulates one seed. A broken promise ends the test, which names the seed.
func run(t *testing.T, seed uint64, real, verbose bool) (f figures) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, seed, verbose)
		if real {
			s.pace, s.disk = time.Minute, &folder{parent: dir}
		}
		defer s.end()
		s.run()
		f = s.figures()
	})
	return f
}

// A seed leaves little behind, so that looking for it less often is a tenth of the time.
func init() { debug.SetGCPercent(400) }

// TestSimulation runs seeds, and prints what they went through. -seed replays one.
func TestSimulation(t *testing.T) {
	if *only > 0 {
		t.Logf("seed %d: %+v", *only, run(t, *only, onDisk(*only), true))
		return
	}
	var all figures
	least := figures{trials: 1 << 30, faults: 1 << 30, virtual: 1 << 62}
	for seed := *first; seed < *first+*seeds; seed++ {
		ok := t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			f := run(t, seed, onDisk(seed), false)
			all.trials += f.trials
			all.pruned += f.pruned
			all.faults += f.faults
			all.restarts += f.restarts
			all.virtual += f.virtual
			least.trials, least.faults = min(least.trials, f.trials), min(least.faults, f.faults)
			if !onDisk(seed) {
				least.virtual = min(least.virtual, f.virtual)
			}
		})
		if !ok {
			t.Fatalf("seed %d fails; replay it with -seed %d", seed, seed)
		}
	}
	t.Logf("%d seeds: %d trials (at least %d each), %d of them stopped by rules, %d faults (at least %d), %d restarts, %.0f virtual hours (at least %.0f)",
		*seeds, all.trials, least.trials, all.pruned, all.faults, least.faults, all.restarts, all.virtual.Hours(), least.virtual.Hours())
}

// TestReplay runs seeds twice: what happens follows from the seed. That goroutines of one moment come in one order takes
// one processor, and even there a busy machine may interrupt one of them: a third run must then agree with one of the two.
func TestReplay(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for seed := uint64(1); seed <= 10; seed++ {
		one, two := run(t, seed, false, false).trace, run(t, seed, false, false).trace
		if one == two {
			continue
		}
		if three := run(t, seed, false, false).trace; three != one && three != two {
			t.Errorf("seed %d: the traces %s, %s and %s differ", seed, one, two, three)
		}
	}
}
