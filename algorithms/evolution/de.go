package evolution

import (
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// DE describes differential evolution: trials are members of a population moved by the differences of others, and
// replace those that they are no worse than.
func DE() algorithms.Definition {
	return algorithms.Definition{
		Name:      "de",
		Summary:   "differential evolution",
		Reference: "Storn and Price 1997, Differential evolution, J. Global Optimization 11; Tanabe and Fukunaga 2014, Improving the search performance of SHADE using linear population size reduction",
		Settings: []algorithms.Setting{
			{
				Name: "strategy", Type: algorithms.StringSetting, Default: "lshade", Choices: []string{"lshade", "rand1"},
				Help: "lshade learns its parameters from what succeeds, and has fewer and fewer members; rand1 is the first form, with F = CR = 0.5",
			},
			{
				Name: "population_size", Type: algorithms.IntSetting, Max: 10000,
				Help: "members, at least 4; 0 chooses 20, or for lshade by the number of parameters and the budget",
			},
			sampling.SeedSetting(),
		},
		Constraints: true,
		Advise:      adviseDE,
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			return newDE(p, v), nil
		},
	}
}

// adviseDE is [algorithms.Definition.Advise].
func adviseDE(p algorithms.Problem, v algorithms.Values) []algorithms.Advice {
	return adviseSize(p.MaxTrials, membersOf(p, v), v.Int("population_size", 0) > 0)
}

// membersOf returns how many members there are at first.
func membersOf(p algorithms.Problem, v algorithms.Values) int {
	const least, usual = 4, 20
	n := int(v.Int("population_size", 0))
	switch {
	case n > 0:
	case v.Text("strategy", "") == "rand1":
		n = usual
	default:
		n = firstMembers(p.Space.Len(), p.MaxTrials)
	}
	return max(n, least)
}

// differential is differential evolution as a Suggester. Each member has a slot. Slots take turns, and a trial of one
// is bred from whatever members there are by then, so that none waits for another. The memo of a trial says which
// slot it is of and how it was bred.
type differential struct {
	breeder
	slots  []slot
	adapt  *adaptation // nil for rand1
	spare  slot        // what is told, before it is a member
	turns  []int       // scratch, parallel to slots: trials, pending ones too
	filled []int       // positions of the slots that have a member, the best first
	of     origin      // scratch: the memo
}

// slot is a place in the population.
type slot struct {
	number uint64 // never changes
	turns  int    // trials told
	filled bool   // it has a member
	genome
	standing
}

func newDE(p algorithms.Problem, v algorithms.Values) *differential {
	d := &differential{breeder: newBreeder(p, sampling.Seed(p, v))}
	d.spare.genome = newGenome(d.coding)
	d.slots = make([]slot, membersOf(p, v))
	for i := range d.slots {
		d.slots[i] = slot{number: uint64(i), genome: newGenome(d.coding)}
	}
	d.turns = make([]int, len(d.slots))
	if v.Text("strategy", "") != "rand1" {
		d.adapt = newAdaptation(len(d.slots), p.MaxTrials)
	}
	return d
}

// Tell takes in finished trials.
func (d *differential) Tell(finished []algorithms.Trial) {
	d.tell(finished, d.take)
	d.sort()
}

// take lets a trial compete: one of a slot with its member, and one of no slot, or of one that is no more, with the
// worst member.
func (d *differential) take(t *algorithms.Trial) {
	x := &d.spare
	x.standing = standingOf(t, d.problem.Constraints)
	x.read(d.coding, t.Point)
	own := d.of.decode(t.Memo)
	i := slices.IndexFunc(d.slots, func(s slot) bool { return own && s.number == d.of.slot })
	if i >= 0 {
		d.slots[i].turns++
	} else {
		own = false
		i = d.worst()
	}
	s := &d.slots[i]
	switch {
	case x.class == failed:
	case !s.filled:
		d.replace(s)
	case x.compare(s.standing) <= 0:
		if d.adapt != nil && own {
			d.adapt.succeed(d.of, s, x.standing)
		}
		d.replace(s)
	}
	if d.adapt != nil {
		d.slots = d.adapt.count(d.slots)
	}
}

// replace makes what is told the member of a slot.
func (d *differential) replace(s *slot) {
	s.filled, s.standing, s.genome, d.spare.genome = true, d.spare.standing, d.spare.genome, s.genome
}

// worst returns the slot of the worst member, or one without a member.
func (d *differential) worst() int {
	worst := 0
	for i := range d.slots {
		if d.slots[i].isWorse(&d.slots[worst]) {
			worst = i
		}
	}
	return worst
}

// isWorse tells whether a slot's member is worse than another's; none is worse than any.
func (s *slot) isWorse(other *slot) bool {
	if !s.filled || !other.filled {
		return !s.filled && other.filled
	}
	return s.compare(other.standing) > 0
}

// sort lists the members, the best first.
func (d *differential) sort() {
	d.filled = d.filled[:0]
	for i := range d.slots {
		if d.slots[i].filled {
			d.filled = append(d.filled, i)
		}
	}
	slices.SortStableFunc(d.filled, func(a, b int) int { return d.slots[a].compare(d.slots[b].standing) })
}

// Ask breeds points.
func (d *differential) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	d.turns = d.turns[:len(d.slots)]
	for i, s := range d.slots {
		d.turns[i] = s.turns
	}
	for i := range pending {
		if !d.of.decode(pending[i].Memo) {
			continue
		}
		if k := slices.IndexFunc(d.slots, func(s slot) bool { return s.number == d.of.slot }); k >= 0 {
			d.turns[k]++
		}
	}
	return d.ask(ids, pending, d.suggest), nil
}

// suggest returns a trial of the slot that has had the fewest: one of the first ones, or a child.
func (d *differential) suggest(id uint64, _ int) (searchspace.Point, []byte) {
	const others = 3 // that a mutant is made of
	i := slices.Index(d.turns, slices.Min(d.turns))
	d.turns[i]++
	d.of = origin{slot: d.slots[i].number}
	if !d.slots[i].filled || len(d.filled) <= others {
		return d.draw(id), d.of.encode()
	}
	p, born := d.bear(func() { d.breed(i) })
	if !born {
		d.of.f, d.of.cr = 0, 0
	}
	return p, d.of.encode()
}

// breed makes a child of the member of a slot.
func (d *differential) breed(i int) {
	x, one := d.slots[i].genome, d.other(i, -1)
	if d.adapt != nil {
		d.of.f, d.of.cr = d.adapt.draw(&d.source)
		best := d.slots[d.filled[d.source.below(d.adapt.elite(len(d.filled)))]].genome
		d.child.differ(d.coding, d.of.f, x, best, d.slots[one].genome, d.adapt.second(d, i, one), &d.source)
	} else {
		d.of.f, d.of.cr = 0.5, 0.5
		two := d.other(i, one)
		three := d.other(i, one)
		for three == two {
			three = d.other(i, one)
		}
		base := d.slots[one].genome
		d.child.differ(d.coding, d.of.f, base, base, d.slots[two].genome, d.slots[three].genome, &d.source)
	}
	d.child.inherit(x, d.of.cr, &d.source)
	d.child.complete(d.coding, &d.source)
}

// other draws a slot with a member that is neither of two.
func (d *differential) other(i, k int) int {
	for {
		if n := d.filled[d.source.below(len(d.filled))]; n != i && n != k {
			return n
		}
	}
}

// differ makes g the mutant
//
//	base + F (goal - base) + F (one - two)
//
// (Storn and Price 1997, for a base that is its own goal; Zhang and Sanderson 2009, JADE, for one of the best). What is beyond
// an end of the unit interval is half way from the base to it. A label is the base's, with probability F the goal's,
// and where those of the other two differ, with probability F any.
func (g genome) differ(c *coding, f float64, base, goal, one, two genome, source *draws) {
	known := func(step float64) float64 { // 0 where one of the two is not active
		if math.IsNaN(step) {
			return 0
		}
		return step
	}
	for j, x := range base.v {
		y := x + float64(f*known(goal.v[j]-x)) + float64(f*known(one.v[j]-two.v[j]))
		if y < 0 {
			y = x / 2
		} else if y > 1 {
			y = (x + 1) / 2
		}
		g.v[j] = y
	}
	for i, k := range base.labels {
		if l := goal.labels[i]; l >= 0 && source.unit() < f {
			k = l
		}
		if one.labels[i] != two.labels[i] && source.unit() < f {
			k = source.below(c.counts[i])
		}
		g.labels[i] = k
	}
}

// inherit takes each parameter of a mutant from x, but for one of them and others with probability CR (binomial
// crossover). Where the mutant has none, x is taken.
func (g genome) inherit(x genome, cr float64, source *draws) {
	one := source.below(len(g.v) + len(g.labels))
	for j := range g.v {
		if cross := source.unit() < cr || j == one; !cross || math.IsNaN(g.v[j]) {
			g.v[j] = x.v[j]
		}
	}
	for i := range g.labels {
		if cross := source.unit() < cr || len(g.v)+i == one; !cross || g.labels[i] < 0 {
			g.labels[i] = x.labels[i]
		}
	}
}
