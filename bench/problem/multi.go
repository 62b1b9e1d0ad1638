package problem

import (
	"fmt"
	"math"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// multi is a function of several losses, over the unit cube unless low and high say otherwise.
type multi struct {
	objectives int
	losses     func(x []float64) []float64
	low, high  float64 // of every parameter but the first
	// reference is above every loss in each objective, but for the first of ZDT, of which nothing
	// above 1 can be of use.
	reference func(d int) []float64
	// best is the hypervolume of the whole front.
	best func(reference []float64) float64
}

// multis are the members of multi: ZDT of Zitzler, Deb and Thiele, "Comparison of Multiobjective
// Evolutionary Algorithms: Empirical Results", 2000, section 4, and DTLZ of Deb, Thiele, Laumanns
// and Zitzler, "Scalable Test Problems for Evolutionary Multiobjective Optimization", 2005. All are
// to be minimized.
var multis = map[string]multi{
	"zdt1":    {2, zdt1, 0, 1, fixed(1.1, 11), func(r []float64) float64 { return r[0]*r[1] - 1./3 }},
	"zdt2":    {2, zdt2, 0, 1, fixed(1.1, 11), func(r []float64) float64 { return r[0]*r[1] - 2./3 }},
	"zdt3":    {2, zdt3, 0, 1, fixed(1.1, 11), zdt3Best},
	"zdt4":    {2, zdt4, -5, 5, zdt4Reference, func(r []float64) float64 { return r[0]*r[1] - 1./3 }},
	"zdt6":    {2, zdt6, 0, 1, fixed(1.1, 11), zdt6Best},
	"dtlz1-3": {3, dtlz1, 0, 1, dtlz1Reference, func(r []float64) float64 { return r[0]*r[1]*r[2] - 1./48 }},
	"dtlz2-2": {2, dtlz2(2), 0, 1, dtlz2Reference(2), func(r []float64) float64 { return r[0]*r[1] - math.Pi/4 }},
	"dtlz2-3": {3, dtlz2(3), 0, 1, dtlz2Reference(3), func(r []float64) float64 { return r[0]*r[1]*r[2] - math.Pi/6 }},
	"dtlz7-2": {2, dtlz7(2), 0, 1, fixed(1.1, 24), dtlz7Best},
	"dtlz7-3": {3, dtlz7(3), 0, 1, fixed(1.1, 1.1, 35), dtlz7Best},
}

// makeMulti makes a problem of multi.
func makeMulti(member string, d int, _ uint64) (*Problem, error) {
	m := multis[member]
	if d < m.objectives {
		return nil, fmt.Errorf("%s needs at least %d dimensions, got %d", member, m.objectives, d)
	}
	params := cube(d, m.low, m.high)
	params[0].Min, params[0].Max = 0, 1
	space, err := searchspace.New(params)
	if err != nil {
		return nil, fmt.Errorf("multi %s: %w", member, err)
	}
	reference := m.reference(d)
	best := m.best(reference)
	name := fmt.Sprintf("multi/%s/d%d", member, d)
	return &Problem{
		Name:       name,
		Cluster:    "multi/" + member,
		Space:      space,
		Objectives: m.objectives,
		Reference:  reference,
		Eval: func(p searchspace.Point, _, _ uint64) Result {
			losses := m.losses(p)
			return Result{Losses: losses, True: losses}
		},
		Regret:  func(hypervolume float64) float64 { return 1 - hypervolume/best },
		Floor:   1e-6, // a front of 100 points is some 1e-3 away
		Seconds: logNormalSeconds(name),
	}, nil
}

func fixed(reference ...float64) func(int) []float64 {
	return func(int) []float64 { return reference }
}

// zdtG is g of ZDT1, 2 and 3.
func zdtG(x []float64) float64 { return 1 + 9*mean(x[1:]) }

func zdt1(x []float64) []float64 {
	g := zdtG(x)
	return []float64{x[0], g * (1 - math.Sqrt(x[0]/g))}
}

func zdt2(x []float64) []float64 {
	g := zdtG(x)
	return []float64{x[0], g * (1 - x[0]/g*x[0]/g)}
}

func zdt3(x []float64) []float64 {
	g := zdtG(x)
	return []float64{x[0], g * (1 - math.Sqrt(x[0]/g) - x[0]/g*math.Sin(10*math.Pi*x[0]))}
}

// zdt3Best has no closed form: where the curve rises, points to the left of it dominate.
func zdt3Best(r []float64) float64 {
	under := runningIntegral(func(t float64) float64 { return math.Sqrt(t) + t*math.Sin(10*math.Pi*t) }, r[0])
	return r[0]*(r[1]-1) + under
}

func zdt4(x []float64) []float64 {
	g := 1.0
	for _, v := range x[1:] {
		g += 10 + v*v - 10*math.Cos(4*math.Pi*v)
	}
	return []float64{x[0], g * (1 - math.Sqrt(x[0]/g))}
}

func zdt4Reference(d int) []float64 { return []float64{1.1, 1.1 * float64(1+45*(d-1))} }

func zdt6(x []float64) []float64 {
	f := zdt6First(x[0])
	g := 1 + 9*math.Pow(mean(x[1:]), 0.25)
	return []float64{f, g * (1 - f/g*f/g)}
}

func zdt6First(x float64) float64 {
	return 1 - math.Exp(-4*x)*math.Pow(math.Sin(6*math.Pi*x), 6)
}

func zdt6Best(r []float64) float64 {
	// The derivative of the first loss is 0 where tan(6 pi x) = 9 pi.
	left := zdt6First(math.Atan(9*math.Pi) / (6 * math.Pi))
	integral := func(t float64) float64 { return t - t*t*t/3 } // of the front, 1 - t^2
	return (r[0]-left)*r[1] - (integral(1) - integral(left))
}

// dtlz1 has a plane, on which the three losses sum to 1/2, behind many local fronts.
func dtlz1(x []float64) []float64 {
	g := 0.0
	for _, v := range x[2:] {
		g += 1 + (v-0.5)*(v-0.5) - math.Cos(20*math.Pi*(v-0.5))
	}
	scale := (1 + 100*g) / 2
	return []float64{scale * x[0] * x[1], scale * x[0] * (1 - x[1]), scale * (1 - x[0])}
}

func dtlz1Reference(d int) []float64 {
	worst := 1.1 * (1 + 225*float64(d-2)) / 2 // each term of g is below 2.25
	return []float64{worst, worst, worst}
}

// dtlz2 is a sphere.
func dtlz2(objectives int) func(x []float64) []float64 {
	return func(x []float64) []float64 {
		radius := 1.0
		for _, v := range x[objectives-1:] {
			radius += (v - 0.5) * (v - 0.5)
		}
		losses := make([]float64, objectives)
		for m := range losses {
			losses[m] = radius
			for i := range objectives - 1 - m {
				losses[m] *= math.Cos(x[i] * math.Pi / 2)
			}
			if m > 0 {
				losses[m] *= math.Sin(x[objectives-1-m] * math.Pi / 2)
			}
		}
		return losses
	}
}

func dtlz2Reference(objectives int) func(d int) []float64 {
	return func(d int) []float64 {
		r := make([]float64, objectives)
		for i := range r {
			r[i] = 1.1 * (1 + 0.25*float64(d-objectives+1))
		}
		return r
	}
}

// dtlz7 has a front of 2^(m-1) parts.
func dtlz7(objectives int) func(x []float64) []float64 {
	return func(x []float64) []float64 {
		last := objectives - 1
		g := 1 + 9*mean(x[last:])
		losses := append(make([]float64, 0, objectives), x[:last]...)
		h := float64(objectives)
		for _, f := range losses {
			h -= f / (1 + g) * (1 + math.Sin(3*math.Pi*f))
		}
		return append(losses, (1+g)*h)
	}
}

// dtlz7Best is of the front, where g is 1 and the last loss 2m - sum h(f).
func dtlz7Best(r []float64) float64 {
	last := len(r) - 1
	volume := r[last] - 2*float64(len(r))
	gain := 0.0
	for _, side := range r[:last] {
		volume *= side
		others := 1.0
		for range last - 1 {
			others *= side
		}
		gain += others * runningIntegral(func(t float64) float64 { return t * (1 + math.Sin(3*math.Pi*t)) }, side)
	}
	return volume + gain
}

// runningIntegral integrates the greatest value of f so far, from 0 to end >= 1, where f ends at 1.
// The substitution t = s^2 makes roots at 0 smooth; the error of the trapezoids is some 1e-10.
func runningIntegral(f func(t float64) float64, end float64) float64 {
	const steps = 200000
	sum, greatest := 0.0, f(0)
	for k := range steps {
		before := greatest
		s := float64(k+1) / steps
		greatest = max(greatest, f(s*s))
		sum += (before*2*float64(k)/steps + greatest*2*s) / (2 * steps)
	}
	return sum + greatest*(end-1)
}
