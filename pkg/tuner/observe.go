package tuner

import (
	"errors"
	"hash/maphash"
	"time"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Suggested is one question to an algorithm, and what became of the answer. Config.Suggested is told of
// it once the trials are durable. What else becomes durable is told of by the store, see package observe.
type Suggested struct {
	Experiment experiment.Key
	Algorithm  string   // its own name, whichever the experiment uses; "" when there is none of that name
	Numbers    []uint64 // of the trials that were made of the answer, which may be fewer than were asked for
	Duplicates int      // of them that have the values of an earlier trial
	Began      time.Time
	Took       time.Duration // what the algorithm was told of before included
	Fits       int           // of a model; 0 of an algorithm that fits none, or does not tell of it
	Fitting    time.Duration // the part of Took that they were
	Failed     bool
}

// suggested tells who wants to know of an answer, and of the trials that were made of it.
func (d *driver) suggested(th *thought, created []*experiment.Trial) {
	if d.Suggested == nil {
		return
	}
	s := Suggested{Experiment: d.key, Began: th.began, Took: th.took, Fits: th.fits.n, Fitting: th.fits.took, Failed: failure(th.err)}
	if th.of != nil {
		s.Algorithm = th.of.def.Name
	}
	for i := range created {
		s.Numbers = append(s.Numbers, created[i].Number)
	}
	s.Duplicates = d.points.repeated(d.trials, len(created))
	d.Suggested(s)
}

// failure reports whether an answer is none of those that an algorithm may give.
func failure(err error) bool {
	var c *converged
	return err != nil && !errors.Is(err, algorithms.ErrExhausted) && !errors.Is(err, algorithms.ErrWait) && !errors.As(err, &c)
}

// points is the set of the assignments of an experiment's trials, by hash. The zero value is empty.
type points struct {
	seed   maphash.Seed
	hashes map[uint64]struct{}
	trials int // that are in it
}

// repeated takes in the trials that are not in the set yet, and returns how many of the last ones have
// the values of an earlier trial.
func (p *points) repeated(trials []*experiment.Trial, last int) (n int) {
	if p.hashes == nil || p.trials > len(trials)-last {
		*p = points{seed: maphash.MakeSeed(), hashes: make(map[uint64]struct{}, len(trials))}
	}
	for ; p.trials < len(trials); p.trials++ {
		if fresh := p.add(trials[p.trials].Assignment); !fresh && p.trials >= len(trials)-last {
			n++
		}
	}
	return n
}

// add reports whether an assignment was not there before.
func (p *points) add(a searchspace.Assignment) bool {
	var h maphash.Hash
	h.SetSeed(p.seed)
	for _, pair := range a {
		_, _ = h.WriteString(pair.Name) // never fails
		_ = h.WriteByte(0)
		_, _ = h.WriteString(pair.Value)
		_ = h.WriteByte(0)
	}
	sum := h.Sum64()
	_, there := p.hashes[sum]
	p.hashes[sum] = struct{}{}
	return !there
}
