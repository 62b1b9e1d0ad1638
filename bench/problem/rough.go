package problem

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// makeNoisy returns the maker of noisy24: what is told above the optimum is multiplied by e^(sigma
// N(0, 1)), after f_GN of Finck, Hansen, Ros and Auger, RR-6869, eq. 1.
func makeNoisy(family string, sigma float64) func(string, int, uint64) (*Problem, error) {
	return func(member string, d int, instance uint64) (*Problem, error) {
		p, b, err := rename(family, member, d, instance)
		if err != nil {
			return nil, err
		}
		noises := newStream(p.Name, "noise")
		p.Eval = func(x searchspace.Point, seed, trial uint64) Result {
			excess := b.excess(x)
			noise := math.Exp(sigma * noises.draw(seed, trial).NormFloat64())
			return Result{Losses: []float64{b.fopt + excess*noise}, True: []float64{b.fopt + excess}}
		}
		return p, nil
	}
}

// rename makes a problem of bbob24 under the name of another family.
func rename(family, member string, d int, instance uint64) (*Problem, *bbob, error) {
	p, err := makeBBOB(member, d, instance)
	if err != nil {
		return nil, nil, err
	}
	p.Name = fmt.Sprintf("%s/%s/d%d/i%d", family, member, d, instance)
	p.Cluster = family + "/" + member
	return p, place(member, d, instance), nil
}

// makeFail makes a problem of fail24: evaluations fail in a tenth of the cube.
func makeFail(member string, d int, instance uint64) (*Problem, error) {
	p, b, err := rename("fail24", member, d, instance)
	if err != nil {
		return nil, err
	}
	depth := newRegion(b, instance)
	p.Eval = func(x searchspace.Point, _, _ uint64) Result {
		if depth(x) > 0 {
			return failed()
		}
		return exactly(b.fopt + b.excess(x))
	}
	return p, nil
}

// makeChance returns the maker of chance24: so large a share of evaluations fails wherever they are, as on
// machines that fail.
func makeChance(family string, share float64) func(string, int, uint64) (*Problem, error) {
	return func(member string, d int, instance uint64) (*Problem, error) {
		p, b, err := rename(family, member, d, instance)
		if err != nil {
			return nil, err
		}
		chances := newStream(p.Name, "failures")
		p.Eval = func(x searchspace.Point, seed, trial uint64) Result {
			if chances.draw(seed, trial).Float64() < share {
				return failed()
			}
			return exactly(b.fopt + b.excess(x))
		}
		return p, nil
	}
}

// makeOutlier makes a problem of outlier24: the losses of an instance are of any size from 1e-8 to
// 1e8, and those of a tenth of the cube grow to 1e8 times as much, as of training that diverges.
func makeOutlier(member string, d int, instance uint64) (*Problem, error) {
	p, b, err := rename("outlier24", member, d, instance)
	if err != nil {
		return nil, err
	}
	depth := newRegion(b, instance)
	scale := math.Pow(10, float64(rand.New(rand.NewPCG(uint64(b.number), instance)).IntN(17)-8))
	p.Eval = func(x searchspace.Point, _, _ uint64) Result {
		return exactly(scale * (b.fopt + b.excess(x)*math.Pow(1e8, min(1, max(0, depth(x))))))
	}
	p.Regret = func(loss float64) float64 { return loss/scale - b.fopt }
	return p, nil
}

// newRegion draws a region that takes a tenth of the cube and leaves out the optimum: a half-space
// for odd functions, a ball around a point of the cube for even ones. The result is the depth of
// x in it, from 0 at its edge to about 1 at its deepest, negative outside.
func newRegion(b *bbob, instance uint64) func(x []float64) float64 {
	const points, share = 4000, 0.1
	source := rand.New(rand.NewPCG(uint64(b.number)<<32|uint64(b.d), instance<<32|1))
	centre, x := make([]float64, b.d), make([]float64, b.d)
	inside := func(x []float64) float64 { return dot(centre, x) }
	if b.number%2 == 0 {
		inside = func(x []float64) float64 { return -distance(centre, x) }
	}
	for {
		fillUniform(centre, source)
		values := make([]float64, points)
		for k := range values {
			fillUniform(x, source)
			values[k] = inside(x)
		}
		slices.Sort(values)
		edge, deepest := values[int(points*(1-share))], values[points-1]
		if inside(b.xopt) < edge {
			return func(x []float64) float64 { return (inside(x) - edge) / (deepest - edge) }
		}
	}
}

func fillUniform(x []float64, source *rand.Rand) {
	for i := range x {
		x[i] = bbobDomain * (2*source.Float64() - 1)
	}
}

func distance(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += (v - b[i]) * (v - b[i])
	}
	return math.Sqrt(sum)
}
