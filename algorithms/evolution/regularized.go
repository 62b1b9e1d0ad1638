package evolution

import (
	"math"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/internal/elementary"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Regularized describes regularized evolution: a trial is a good one of the latest, with one parameter changed. No
// trial is a parent for good, so that one that was lucky does no harm.
func Regularized() algorithms.Definition {
	return algorithms.Definition{
		Name:      "regularized-evolution",
		Summary:   "changes of one parameter of the best of some of the latest trials",
		Reference: "Real, Aggarwal, Huang and Le 2019, Regularized evolution for image classifier architecture search, AAAI 33",
		Settings: []algorithms.Setting{
			{
				Name: "population_size", Type: algorithms.IntSetting, Max: 10000,
				Help: "latest trials that may be parents, at least 2; 0 chooses by the budget, up to 50",
			},
			{
				Name: "sample_size", Type: algorithms.IntSetting, Max: 10000,
				Help: "trials drawn of these, of which the best is the parent; 0 means half as many as there are",
			},
			sampling.SeedSetting(),
		},
		Constraints: true,
		Advise: func(p algorithms.Problem, v algorithms.Values) []algorithms.Advice {
			size, _ := readAging(p, v)
			return adviseSize(p.MaxTrials, size, v.Int("population_size", 0) > 0)
		},
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return newAging(p, v), nil
		},
	}
}

// readAging reads the settings. Real et al. 2019 draw a quarter of 100; within some hundred trials the bench wants fewer,
// and of these more.
func readAging(p algorithms.Problem, v algorithms.Values) (size, sample int) {
	const least, few, most, share = 2, 10, 50, 10
	size, sample = int(v.Int("population_size", 0)), int(v.Int("sample_size", 0))
	switch {
	case size > 0:
	case p.MaxTrials > 0:
		size = max(few, min(p.MaxTrials/share, most))
	default:
		size = most
	}
	size = max(size, least)
	if sample == 0 {
		sample = max(1, size/2)
	}
	return size, min(sample, size)
}

// aging is regularized evolution as a Suggester.
type aging struct {
	breeder
	size, sample int
	latest       []recent // a ring of the last trials that have a result
	at           int      // position of the oldest one, once it is full
}

// recent is one of the latest trials, which may be a parent.
type recent struct {
	genome
	standing
}

func newAging(p algorithms.Problem, v algorithms.Values) *aging {
	a := &aging{breeder: newBreeder(p, sampling.Seed(p, v))}
	a.size, a.sample = readAging(p, v)
	return a
}

// Tell takes in finished trials.
func (a *aging) Tell(finished []algorithms.Trial) { a.tell(finished, a.take) }

// take puts a trial that has a result in the place of the oldest one.
func (a *aging) take(t *algorithms.Trial) {
	s := standingOf(t, a.problem.Constraints)
	if s.class == failed {
		return
	}
	if len(a.latest) < a.size {
		a.latest = append(a.latest, recent{genome: newGenome(a.coding)})
		a.at = len(a.latest) - 1
	}
	x := &a.latest[a.at]
	x.standing = s
	x.read(a.coding, t.Point)
	a.at = (a.at + 1) % a.size
}

// Ask breeds points.
func (a *aging) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	return a.ask(ids, pending, a.suggest), nil
}

// suggest returns a trial before which there were so many: one of the first ones, or a changed parent.
func (a *aging) suggest(id uint64, before int) (searchspace.Point, []byte) {
	if before < a.size || len(a.latest) == 0 {
		return a.draw(id), nil
	}
	p, _ := a.bear(a.breed)
	return p, nil
}

// breed makes a child.
func (a *aging) breed() {
	a.child.copyFrom(a.parent().genome)
	a.child.step(a.coding, &a.source)
	a.child.complete(a.coding, &a.source)
}

// parent returns the best of some of the latest trials.
func (a *aging) parent() *recent {
	best := &a.latest[a.source.below(len(a.latest))]
	for range a.sample - 1 {
		if x := &a.latest[a.source.below(len(a.latest))]; x.compare(best.standing) < 0 {
			best = x
		}
	}
	return best
}

// step changes one active parameter: a label to another one, a number by a normal step whose length is from 0.3 of the
// range, as it is for the first trials, down to a hundredth of that.
func (g genome) step(c *coding, source *draws) {
	const longest, shortest = 0.3, 0.003
	n := source.below(max(1, g.active()))
	for j, x := range g.v {
		if math.IsNaN(x) {
			continue
		}
		if n == 0 {
			deviation := longest * elementary.Exp(source.unit()*elementary.Log(shortest/longest))
			g.v[j] = c.move(j, x, reflect(x+float64(deviation*source.normal())))
			return
		}
		n--
	}
	for i, k := range g.labels {
		if k < 0 {
			continue
		}
		if n == 0 {
			g.labels[i] = source.other(k, c.counts[i])
			return
		}
		n--
	}
}

// reflect mirrors what is beyond an end of the unit interval at it.
func reflect(x float64) float64 {
	if x < 0 {
		x = -x
	}
	if x > 1 {
		x = 2 - x
	}
	return max(0, min(x, 1))
}
