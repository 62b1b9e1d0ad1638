package evolution

import "github.com/tuned-hpo/tuned/internal/elementary"

// refinement draws some trials near the best one instead of about the mean: while the distribution is still
// wide, which it is for some hundred trials, its mean is no better than what was found by luck. The step is
// one of the distribution, shortened, along few parameters. One trial in ten is such a step, and the last third
// of a budget that is known, with shorter and shorter ones. They belong to generations as all trials do.
// Shares and lengths are from the bench.
type refinement struct {
	on     bool
	from   uint64 // first ID of the last third; 0 when the budget is unlimited
	budget uint64
	best   member // of all trials
	run    uint64 // that the best one belongs to
	found  bool   // there is a best one
}

func newRefinement(on bool, c *coding, budget int) refinement {
	const share, most = 0.35, 15 // of the budget; trials per parameter
	r := refinement{on: on, budget: uint64(budget), best: newMember(c)}
	if budget > 0 {
		r.from = r.budget + 1 - uint64(min(share*float64(budget), float64(most*c.space.Len())))
	}
	return r
}

// see takes a trial of the given run into account.
func (r *refinement) see(m *member, run uint64) {
	if m.class != succeeded || r.found && m.compare(r.best.standing) >= 0 {
		return
	}
	copy(r.best.v, m.v)
	copy(r.best.labels, m.labels)
	r.best.standing, r.run, r.found = m.standing, run, true
}

// length draws by how much the steps of a trial are shortened, down to a tenth; 0 when it is no such trial.
func (r *refinement) length(id, run uint64, source *draws) float64 {
	const often, least = 0.1, 0.1
	if !r.on || !r.found {
		return 0
	}
	var shorter float64 // from 0, not at all, to 1, to the least length
	switch u := source.unit(); {
	case r.from > 0 && id >= r.from:
		shorter = min(1, float64(id-r.from)/float64(r.budget+1-r.from))
	case u < often && r.run == run:
		shorter = u / often
	default:
		return 0
	}
	return elementary.Exp(shorter * elementary.Log(least))
}

// move makes of a draw about the mean one about the best trial. It differs from that in one parameter for
// certain, and in each of the others with some probability.
func (r *refinement) move(length float64, mean, v []float64, labels []int, source *draws) {
	const differs = 0.2
	one := int(source.Uint64() % uint64(len(v)+len(labels)))
	for j := range v {
		step := float64(length * (v[j] - mean[j]))
		if u := source.unit(); j != one && u >= differs {
			step = 0
		}
		v[j] = r.best.v[j] + step
	}
	for i := range labels {
		if u := source.unit(); len(v)+i != one && u >= differs && r.best.labels[i] >= 0 {
			labels[i] = r.best.labels[i]
		}
	}
}
