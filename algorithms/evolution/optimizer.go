package evolution

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/internal/elementary"
)

// optimizer is CMA-ES as a Suggester. The distributions are a function of the trials told, in the order
// in which they finished: every lambda of them are a generation, whichever distribution they were drawn from.
// What was drawn for a trial comes back in its memo.
type optimizer struct {
	problem algorithms.Problem
	coding  *coding
	visits  sampling.Visits
	random  sampling.Draws // for points that were tried before
	seed    uint64
	source  draws
	sobol   sampling.Sobol // of steps; with as many axes as there are numbers and it can have

	runs       runs
	strategy   *strategy
	categories *categories
	begun      bool // a trial of this algorithm was told
	foreign    []example

	generation []member // gathered so far, up to lambda of them
	failed     int      // of these

	refinement refinement

	order  []int     // scratch: members, the best first
	labels [][]int   // scratch: labels of the best members
	memo   memo      // scratch
	z      []float64 // scratch
	drawn  []int     // scratch: labels
}

// draws is the stream of random numbers of one trial after the other.
type draws struct{ rand.PCG }

// unit draws from the unit interval.
func (d *draws) unit() float64 { return sampling.Unit(d.Uint64()) }

// normal draws from the standard normal distribution.
func (d *draws) normal() float64 { return normalQuantile(d.unit()) }

// normalQuantile is that of the standard normal distribution.
func normalQuantile(u float64) float64 { return math.Sqrt2 * elementary.Erfinv(float64(2*u)-1) }

// member is a trial of a generation.
type member struct {
	v          []float64
	labels     []int
	generation uint64 // in which it was drawn
	standing
}

func newMember(c *coding) member {
	return member{v: make([]float64, len(c.numbers)), labels: make([]int, len(c.lists))}
}

// never is the generation of trials that were not drawn.
const never = math.MaxUint64

func newCMAES(p algorithms.Problem, s settings, seed uint64) *optimizer {
	c := newCoding(p.Space)
	o := &optimizer{
		problem: p, coding: c, visits: sampling.NewVisits(p.Space), random: sampling.NewDraws(p.Space, seed), seed: seed,
		runs: newRuns(s, seed), refinement: newRefinement(s.refine, c, p.MaxTrials), memo: memo{v: make([]float64, len(c.numbers))}, z: make([]float64, len(c.numbers)), drawn: make([]int, len(c.lists)),
	}
	o.sobol = sampling.NewSobol(min(len(o.z), sampling.MaxDimensions), seed)
	o.begin()
	return o
}

// Tell takes in finished trials.
func (o *optimizer) Tell(finished []algorithms.Trial) {
	o.visits.Tell(finished)
	for i := range finished {
		if t := &finished[i]; o.problem.Space.Contains(t.Point) == nil {
			o.take(t)
		}
	}
}

// take adds a trial to the generation. Those drawn before a restart say nothing about the present run.
// Trials of another algorithm, or of a user, that are told before any of ours are where to start from if
// they are many, and otherwise belong to the first generation.
func (o *optimizer) take(t *algorithms.Trial) {
	own := o.memo.decode(t.Memo)
	switch {
	case !own && !o.begun:
		o.foreign = append(o.foreign, o.example(t))
		o.begin()
	case !own:
		o.inject(o.example(t))
	case !o.begun:
		o.begun = true
		if len(o.foreign) < leastExamples {
			for _, e := range o.foreign {
				o.inject(e)
			}
		}
		o.foreign = nil
		fallthrough
	case o.memo.run == o.runs.run:
		if m := o.next(standingOf(t, o.problem.Constraints)); m != nil {
			copy(m.v, o.memo.v)
			m.generation = o.memo.generation
			o.coding.label(t.Point, m.labels)
			o.breed(m)
		}
	}
}

// inject adds a trial that was not drawn.
func (o *optimizer) inject(e example) {
	if m := o.next(e.standing); m != nil {
		o.coding.encode(e.point, o.strategy.mean, m.v, m.labels)
		m.generation = never
		o.breed(m)
	}
}

// next returns the place of one more member, nil when there is none: failed trials are the worst, but no
// generation has so many that one would draw the mean towards it.
func (o *optimizer) next(s standing) *member {
	if s.class == failed {
		if o.failed == o.strategy.lambda-o.strategy.mu {
			return nil
		}
		o.failed++
	}
	n := len(o.generation)
	o.generation = o.generation[:n+1]
	o.generation[n].standing = s
	return &o.generation[n]
}

// breed adapts the distributions if the generation is complete with its last member.
func (o *optimizer) breed(last *member) {
	o.refinement.see(last, o.runs.run)
	s := o.strategy
	if len(o.generation) < s.lambda {
		return
	}
	for k := range o.order {
		o.order[k] = k
	}
	slices.SortStableFunc(o.order, func(a, b int) int { return o.generation[a].compare(o.generation[b].standing) })
	for k, i := range o.order {
		m := &o.generation[i]
		s.place(k, m.v, m.generation)
		if k < s.mu {
			o.labels[k] = m.labels
		}
	}
	s.adapt()
	o.categories.adapt(s.weights[:s.mu], o.labels)
	alpha := 1 / float64(s.lambda*o.problem.Space.Len())
	for j, edges := range o.coding.edges {
		if edges != nil {
			low, high := o.coding.step(j, s.mean[j])
			s.keepMargin(j, low, high, alpha)
		}
	}
	best, worst := o.generation[o.order[0]].standing, o.generation[o.order[s.lambda-1]].standing
	o.generation, o.failed = o.generation[:0], 0
	if o.runs.over(s, o.coding, best, worst) {
		o.start(o.runs.next(s))
		o.categories = newCategories(o.coding.counts)
	}
}

// start makes a strategy the present one.
func (o *optimizer) start(s *strategy) {
	o.strategy = s
	if o.runs.lrAdapt {
		s.learning = newLearning(s.n, s.shape)
	}
	if cap(o.generation) < s.lambda {
		o.generation = make([]member, s.lambda)
		for i := range o.generation {
			o.generation[i] = newMember(o.coding)
		}
	}
	o.generation, o.failed = o.generation[:0], 0
	o.order, o.labels = make([]int, s.lambda), make([][]int, s.mu)
}

// Ask draws points.
func (o *optimizer) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	o.visits.Open(pending)
	out := make([]algorithms.Suggestion, len(ids))
	for i, id := range ids {
		out[i] = o.suggest(id)
	}
	return out, nil
}

// suggest draws until it has a point that is new.
func (o *optimizer) suggest(id uint64) algorithms.Suggestion {
	const repeats = 10 // of points that were tried before
	o.source.Seed(o.seed, id)
	length := o.refinement.length(id, o.runs.run, &o.source)
	for k := range repeats {
		o.step(id, k > 0)
		o.draw(length)
		o.coding.clip(o.memo.v)
		if p := o.coding.decode(o.memo.v, o.drawn); o.visits.IsNew(p) {
			o.memo.run, o.memo.generation = o.runs.run, o.strategy.generation
			return algorithms.Suggestion{ID: id, Point: o.visits.Take(p), Memo: o.memo.encode()}
		}
	}
	o.random.Begin(id)
	return algorithms.Suggestion{ID: id, Point: o.visits.Next(o.random.Point(), &o.random)}
}

// step draws z ~ N(0, I): at first as the trial's point of a sequence that is spread evenly, so that the trials of a
// generation are too (Teytaud and Gelly 2007, DCMA, yet another derandomization in covariance-matrix-adaptation, GECCO).
func (o *optimizer) step(id uint64, again bool) {
	o.sobol.At(id-1, o.z)
	for j, u := range o.z {
		if again || j >= sampling.MaxDimensions {
			u = o.source.unit()
		}
		o.z[j] = normalQuantile(u)
	}
}

// draw makes coordinates of a step, and draws labels: about the mean, or with some length of steps about the best trial.
func (o *optimizer) draw(length float64) {
	o.strategy.sample(o.z, o.memo.v)
	for i := range o.drawn {
		o.drawn[i] = o.categories.draw(i, o.source.unit())
	}
	if length > 0 {
		o.refinement.move(length, o.strategy.mean, o.memo.v, o.drawn, &o.source)
	}
}

// standing is what trials are compared by.
type standing struct {
	class class
	value float64 // loss, or by how much constraints are missed
}

// class is what became of a trial; a lower one is better.
type class uint8

const (
	succeeded class = iota
	pruned          // worse than others were at that time; the last loss
	infeasible
	failed
)

func (s standing) compare(other standing) int {
	return cmp.Or(cmp.Compare(s.class, other.class), cmp.Compare(s.value, other.value))
}

// standingOf reads what became of a trial of a problem with so many constraints.
func standingOf(t *algorithms.Trial, constraints int) standing {
	if t.State == algorithms.Failed || len(t.Losses) == 0 || math.IsNaN(t.Losses[0]) || math.IsInf(t.Losses[0], 0) {
		return standing{class: failed}
	}
	missed := 0.0
	for i := range constraints {
		switch {
		case i >= len(t.Constraints) || math.IsNaN(t.Constraints[i]):
			missed = math.Inf(1)
		case t.Constraints[i] > 0:
			missed += t.Constraints[i]
		}
	}
	switch {
	case missed > 0:
		return standing{infeasible, missed}
	case t.State == algorithms.Pruned:
		return standing{pruned, t.Losses[0]}
	}
	return standing{succeeded, t.Losses[0]}
}
