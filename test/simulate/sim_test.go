//go:build failpoint

package simulate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tuned-hpo/tuned/internal/failpoint"
)

const (
	enough = 100  // trials of a seed
	turns  = 2400 // after which an experiment that has not ended never will
)

// sim is one seed. All that happens begins in its goroutine, one thing at a time, so that the order
// of things follows from the seed.
type sim struct {
	t       *testing.T
	seed    uint64
	random  *rand.Rand
	verbose bool
	begun   time.Time
	pace    time.Duration // of the longest waits
	calm    bool          // no more faults

	disk        disk
	life        *life
	experiments []*trialled
	full        time.Time // until when the disk is
	fullSince   time.Time
	diskFailed  time.Time // when the disk of this life failed
	countdown   atomic.Int64
	dying       atomic.Bool // a point is being hit at which the daemon dies

	turnNo int
	turned time.Time    // when this turn began
	moods  atomic.Int64 // faults of the runner

	faults, restarts int
	pruned           int // trials that rules stopped
	sum              hash.Hash
}

func newSim(t *testing.T, seed uint64, verbose bool) *sim {
	t.Helper()
	s := &sim{
		t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 0)), verbose: verbose, begun: time.Now(),
		pace: 3 * time.Hour, turned: time.Now(), disk: newMemory(), sum: sha256.New(),
	}
	failpoint.Intercept(s.point)
	return s
}

// end leaves nothing running.
func (s *sim) end() {
	failpoint.Intercept(nil)
	if s.life != nil {
		s.life.bury()
	}
}

func (s *sim) figures() figures {
	return figures{
		trials: s.created(), faults: s.faults + int(s.moods.Load()), restarts: s.restarts, pruned: s.pruned, experiments: len(s.experiments),
		virtual: time.Since(s.begun), trace: hex.EncodeToString(s.sum.Sum(nil)[:8]),
	}
}

// say adds a line to the trace.
func (s *sim) say(format string, args ...any) {
	line := fmt.Sprintf("%s %s", s.turned.Sub(s.begun), fmt.Sprintf(format, args...))
	s.sum.Write([]byte(line + "\n"))
	if s.verbose {
		s.t.Log(line)
	}
}

// broken ends the test: a promise was.
func (s *sim) broken(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("seed %d, after %s, %s: BROKEN: %s", s.seed, time.Since(s.begun), s.what(), fmt.Sprintf(format, args...))
}

func (s *sim) what() string {
	return fmt.Sprintf("%d trials, %d faults", s.created(), s.faults+int(s.moods.Load()))
}

// chance is true so many times in a hundred, and never when it is calm; what is true is a fault.
func (s *sim) chance(percent int) bool {
	if s.calm || s.random.IntN(100) >= percent {
		return false
	}
	s.faults++
	return true
}

// point is what every failpoint calls. When it is the daemon's last, it waits until all that was
// said before has been heard.
func (s *sim) point(name string) error {
	if name == "tuner.load" || s.countdown.Add(-1) != 0 { // it is hit with a lock held that others wait for
		return nil
	}
	s.dying.Store(true)
	time.Sleep(time.Millisecond)
	s.life.observeLast()
	s.life.kill()
	s.dying.Store(false)
	return nil
}

// act lets one thing happen, of which the daemon may die, and waits until it has come to rest.
func (s *sim) act(what func()) { s.perilous(3, what) }

// perilous is act with another chance in a hundred of dying.
func (s *sim) perilous(percent int, what func()) {
	s.nextTurn()
	s.countdown.Store(-1)
	if s.chance(percent) {
		s.countdown.Store(int64(1 + s.random.IntN(12)))
	}
	what()
	s.rest()
	s.countdown.Store(-1)
	s.revive()
	s.align()
}

// align lets the next turn begin at the same time, however often the daemon has tried something again:
// whether it looks once or twice is not for the seed to say.
func (s *sim) align() {
	if past := time.Since(s.begun) % time.Second; past > 0 {
		time.Sleep(time.Second - past)
		s.rest()
		s.revive()
	}
}

func (s *sim) nextTurn() {
	s.turnNo++
	s.turned = time.Now()
}

// rest waits until nothing moves but by the clock.
func (s *sim) rest() {
	for synctest.Wait(); s.dying.Load(); synctest.Wait() {
		time.Sleep(time.Millisecond)
	}
}

// revive starts the daemon if it has died, or had to end.
func (s *sim) revive() {
	for s.life == nil || s.life.dead.Load() || s.life.ended() {
		if s.life != nil {
			s.say("the daemon is dead")
			if s.life.store.broken.Load() {
				s.forget(s.diskFailed)
			}
			if died := s.life.died; !died.IsZero() {
				s.stood(time.Since(died)) // who submits on a full disk does not look for minutes
			}
			s.life.bury()
			s.restarts++
		}
		s.countdown.Store(-1)
		s.boot()
		s.rest()
	}
}

// run goes on until there are enough trials and every experiment has ended.
func (s *sim) run() {
	s.revive()
	for turn := 0; ; turn++ {
		s.begin()
		if s.over() {
			break
		}
		if turn > turns {
			s.broken("there is no end: %s", s.unfinished())
		}
		s.calm = turn > turns/2
		s.turn()
		if turn%30 == 0 {
			s.check()
		}
	}
	s.calm = true
	s.settle()
	s.checkEnd()
	s.say("end: %s", s.summary())
}

// begin submits another experiment while there are too few trials.
func (s *sim) begin() {
	open, created := 0, s.created()
	for _, x := range s.experiments {
		if !x.stored {
			s.introduce(x)
		}
		if !x.over {
			open++
		}
	}
	if created >= enough && len(s.experiments) > 0 || open >= 1+int(s.seed%3) || open > 0 && s.random.IntN(10) > 0 {
		return
	}
	x := s.newTrialled(len(s.experiments))
	s.experiments = append(s.experiments, x)
	s.introduce(x)
}

// introduce has the daemon take in an experiment.
func (s *sim) introduce(x *trialled) {
	if x.imported != nil {
		s.perilous(60, func() { s.take(x) })
		return
	}
	s.act(func() { s.submit(x) })
}

// turn lets something happen.
func (s *sim) turn() {
	switch n := s.random.IntN(100); {
	case n < 74:
		s.proceed()
	case n < 84:
		wait := time.Duration(1 + s.random.Int64N(int64(s.pace)))
		s.say("wait %s", wait)
		s.nextTurn()
		time.Sleep(wait)
		s.rest()
		s.revive()
		s.align()
	case n < 92:
		s.trouble()
	default:
		s.person()
	}
}

// proceed lets a workload or a client go on.
func (s *sim) proceed() {
	var can []func()
	for _, x := range s.experiments {
		if !x.stored {
			continue
		}
		for _, w := range x.alive() {
			can = append(can, func() { s.act(func() { s.advance(w) }) })
		}
		if x.paused.is && (s.calm || s.random.IntN(20) == 0) {
			can = append(can, func() { s.resume(x) })
		}
		if x.external && x.stored && !x.over && !x.deleting.is {
			for range *x.wanted.Spec.ParallelTrialCount {
				can = append(can, func() { s.act(func() { s.client(x) }) })
			}
		}
	}
	if len(can) > 0 {
		can[s.random.IntN(len(can))]()
	}
}

// trouble is what the machine and its people do.
func (s *sim) trouble() {
	switch s.random.IntN(5) {
	case 0:
		if s.chance(100) {
			s.say("the daemon is killed")
			s.life.kill()
		}
	case 1:
		if s.chance(100) {
			s.say("the daemon is stopped and started")
			s.life.stop()
		}
	case 2:
		if s.chance(60) {
			if !s.isFull() {
				s.fullSince = time.Now()
			}
			s.full = time.Now().Add(time.Duration(s.random.Int64N(int64(s.pace / 6))))
			s.say("the disk is full until %s", s.full.Sub(s.begun))
		}
	case 3:
		if s.chance(40) {
			s.say("the next write fails")
			s.life.store.fails.Store(true)
		}
	case 4:
		s.act(s.stale)
	}
	s.rest()
	s.revive()
	s.align()
}

// settle waits until what is put off has been done.
func (s *sim) settle() {
	s.full = time.Time{}
	for range 100 {
		time.Sleep(time.Minute)
		s.rest()
		s.revive()
		s.act(func() {})
	}
}
