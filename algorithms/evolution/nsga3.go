package evolution

import (
	"fmt"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/sampling"
)

// NSGA3 describes NSGA-II with reference directions in place of distances, which keeps a population spread also
// among many objectives.
func NSGA3() algorithms.Definition {
	return algorithms.Definition{
		Name:      "nsga3",
		Aliases:   []string{"nsgaiii"},
		Summary:   "NSGA-II with reference directions, for three objectives and more",
		Reference: "Deb and Jain 2014, An evolutionary many-objective optimization algorithm using reference-point-based nondominated sorting approach, part I",
		Settings: append(breedingSettings(),
			algorithms.Setting{
				Name: "divisions", Type: algorithms.IntSetting, Max: 1000,
				Help: "parts into which the reference directions divide each objective; 0 chooses as many as the population has members for",
			},
			sampling.SeedSetting()),
		Objectives: true, Constraints: true,
		Check: func(p algorithms.Problem, v algorithms.Values) error {
			const most = 10000
			if n := int(v.Int("divisions", 0)); directionCount(p.Objectives, n) > most {
				return fmt.Errorf("divisions %d make more than %d directions of %d objectives", n, most, p.Objectives)
			}
			return nil
		},
		Advise: adviseBreeding,
		New: func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
			b := readBreeding(p, v)
			directions := referenceDirections(p.Objectives, int(v.Int("divisions", 0)), b.population)
			if v.Int("population_size", 0) == 0 {
				b.population = max(len(directions), leastPopulation)
			}
			return newGenetic(p, b, newNiches(directions), sampling.Seed(p, v)), nil
		},
	}
}

// niches is the survival of NSGA-III: by front, and within the last one by how few others are nearest to the same
// reference direction.
type niches struct {
	directions [][]float64 // of length 1
	scale      scale
	count      []niche   // parallel to directions
	unit       []float64 // scratch
}

// niche is what is known of a direction while somebody is to leave.
type niche struct {
	members int       // of all fronts
	last    *solution // of the last front, the farthest one
}

func newNiches(directions [][]float64) *niches {
	m := len(directions[0])
	return &niches{directions: directions, scale: newScale(m), count: make([]niche, len(directions)), unit: make([]float64, m)}
}

func (n *niches) settle(*fronts, int) {}

// worst returns, of the niche with the most members among those that have any in the last front, the farthest one
// from the direction. Niching (Deb and Jain 2014, algorithm 4) fills the emptiest niches first, the nearest member
// first, so that with one to leave it is one of the fullest niche; here it is the farthest, there a random one.
func (n *niches) worst(f *fronts) *solution {
	if f.of[0][0].class == succeeded {
		n.associate(f)
	}
	last := f.last()
	if last[0].class != succeeded {
		return last[0]
	}
	clear(n.count)
	for _, x := range f.members {
		if x.class == succeeded {
			n.count[x.niche].members++
		}
	}
	for _, x := range last {
		if c := &n.count[x.niche]; c.last == nil || x.distance > c.last.distance {
			c.last = x
		}
	}
	var worst niche
	for _, c := range n.count {
		if c.last != nil && (worst.last == nil || c.members > worst.members || c.members == worst.members && c.last.distance > worst.last.distance) {
			worst = c
		}
	}
	return worst.last
}

// associate finds the direction nearest to each member (Deb and Jain 2014, algorithm 3).
func (n *niches) associate(f *fronts) {
	all := n.scale.fit(f)
	for i, x := range f.members {
		if x.class == succeeded && (all || i == len(f.members)-1) {
			n.place(x)
		}
	}
}

// place finds the direction nearest to a member: of lines through the origin, the one along which it is farthest.
func (n *niches) place(x *solution) {
	n.scale.apply(x.losses, n.unit)
	longest := -1.0
	for i, d := range n.directions {
		if along := dot(n.unit, d); along > longest {
			longest, x.niche = along, i
		}
	}
	x.distance = dot(n.unit, n.unit) - float64(longest*longest)
}

// better prefers what is of a better class, or misses the constraints by less (Jain and Deb 2014, part II).
func (n *niches) better(x, y *solution) bool {
	if x.class != y.class || x.class == infeasible {
		return x.compare(y.standing) < 0
	}
	return false
}
