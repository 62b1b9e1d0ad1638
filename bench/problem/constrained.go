package problem

import (
	"fmt"
	"math"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// bounded is a problem with constraints, with its optimum.
type bounded struct {
	params      []searchspace.Parameter
	constraints int
	// values returns the loss and the constraints.
	values  func(x []float64) (float64, []float64)
	optimum float64
	at      []float64 // where it is: a test wants it there
}

// bounds are the members of constrained: the simulation of Gardner et al., "Bayesian Optimization
// with Inequality Constraints", 2014, section 4.1; four problems of Liang et al., "Problem
// Definitions and Evaluation Criteria for the CEC 2006 Special Session on Constrained
// Real-Parameter Optimization"; and Golinski's speed reducer with its bounds of Mezura-Montes and
// Coello 2005.
var bounds = map[string]bounded{
	"gardner": {cube(2, 0, 6), 1, gardner, -2, []float64{1.5 * math.Pi, 0}},
	"g04": {
		[]searchspace.Parameter{span("x1", 78, 102, false), span("x2", 33, 45, false), span("x3", 27, 45, false), span("x4", 27, 45, false), span("x5", 27, 45, false)},
		6, g04, -30665.53867178333,
		[]float64{78, 33, 29.995256025681599, 45, 36.775812905788207},
	},
	// x1 = 0, where the loss is not defined, is left out.
	"g08": {cube(2, 0.1, 10), 2, g08, -0.0958250414180359, []float64{1.227971352607526, 4.245373366122749}},
	"g09": {cube(7, -10, 10), 4, g09, 680.630057374402, []float64{
		2.330499351474052, 1.951372368471146, -0.4775413995106158, 4.365726249236259, -0.624486959100389, 1.0381309941096217, 1.5942266780671519,
	}},
	"g24": {
		[]searchspace.Parameter{span("x1", 0, 3, false), span("x2", 0, 4, false)},
		2, g24, -5.508013271595366,
		[]float64{2.329520197477623, 3.178493074117741},
	},
	"speed-reducer": {
		[]searchspace.Parameter{
			span("face", 2.6, 3.6, false), span("module", 0.7, 0.8, false), whole("teeth", 17, 28, false), span("length1", 7.3, 8.3, false),
			span("length2", 7.3, 8.3, false), span("diameter1", 2.9, 3.9, false), span("diameter2", 5, 5.5, false),
		},
		11, speedReducer, 2994.471066146820,
		[]float64{3.5, 0.7, 17, 7.3, 7.715319911478, 3.350214666096, 5.286654464980},
	},
}

// makeBounded makes a problem of constrained.
func makeBounded(member string, _ int, _ uint64) (*Problem, error) {
	b := bounds[member]
	space, err := searchspace.New(b.params)
	if err != nil {
		return nil, fmt.Errorf("constrained %s: %w", member, err)
	}
	p := &Problem{
		Name:        "constrained/" + member,
		Cluster:     "constrained/" + member,
		Space:       space,
		Objectives:  1,
		Constraints: b.constraints,
		Eval: func(p searchspace.Point, _, _ uint64) Result {
			loss, constraints := b.values(p)
			r := exactly(loss)
			r.Constraints = constraints
			return r
		},
		Floor:   regretFloor,
		Seconds: logNormalSeconds("constrained/" + member),
	}
	p.setOptimum(b.optimum)
	return p, nil
}

func gardner(x []float64) (float64, []float64) {
	return math.Cos(2*x[0])*math.Cos(x[1]) + math.Sin(x[0]), []float64{math.Cos(x[0]+x[1]) - 0.5}
}

func g04(x []float64) (float64, []float64) {
	a := 85.334407 + 0.0056858*x[1]*x[4] + 0.0006262*x[0]*x[3] - 0.0022053*x[2]*x[4]
	b := 80.51249 + 0.0071317*x[1]*x[4] + 0.0029955*x[0]*x[1] + 0.0021813*x[2]*x[2]
	c := 9.300961 + 0.0047026*x[2]*x[4] + 0.0012547*x[0]*x[2] + 0.0019085*x[2]*x[3]
	loss := 5.3578547*x[2]*x[2] + 0.8356891*x[0]*x[4] + 37.293239*x[0] - 40792.141
	return loss, []float64{a - 92, -a, b - 110, 90 - b, c - 25, 20 - c}
}

func g08(x []float64) (float64, []float64) {
	s := math.Sin(2 * math.Pi * x[0])
	loss := -s * s * s * math.Sin(2*math.Pi*x[1]) / (x[0] * x[0] * x[0] * (x[0] + x[1]))
	return loss, []float64{x[0]*x[0] - x[1] + 1, 1 - x[0] + (x[1]-4)*(x[1]-4)}
}

func g09(x []float64) (float64, []float64) {
	loss := square(x[0]-10) + 5*square(x[1]-12) + math.Pow(x[2], 4) + 3*square(x[3]-11) +
		10*math.Pow(x[4], 6) + 7*x[5]*x[5] + math.Pow(x[6], 4) - 4*x[5]*x[6] - 10*x[5] - 8*x[6]
	return loss, []float64{
		-127 + 2*x[0]*x[0] + 3*math.Pow(x[1], 4) + x[2] + 4*x[3]*x[3] + 5*x[4],
		-282 + 7*x[0] + 3*x[1] + 10*x[2]*x[2] + x[3] - x[4],
		-196 + 23*x[0] + x[1]*x[1] + 6*x[5]*x[5] - 8*x[6],
		4*x[0]*x[0] + x[1]*x[1] - 3*x[0]*x[1] + 2*x[2]*x[2] + 5*x[5] - 11*x[6],
	}
}

func g24(x []float64) (float64, []float64) {
	y := x[0]
	return -y - x[1], []float64{
		-2*y*y*y*y + 8*y*y*y - 8*y*y + x[1] - 2,
		-4*y*y*y*y + 32*y*y*y - 88*y*y + 96*y + x[1] - 36,
	}
}

func speedReducer(x []float64) (float64, []float64) {
	face, module, teeth, l1, l2, d1, d2 := x[0], x[1], x[2], x[3], x[4], x[5], x[6]
	loss := 0.7854*face*module*module*(3.3333*teeth*teeth+14.9334*teeth-43.0934) -
		1.508*face*(d1*d1+d2*d2) + 7.4777*(d1*d1*d1+d2*d2*d2) + 0.7854*(l1*d1*d1+l2*d2*d2)
	return loss, []float64{
		27/(face*module*module*teeth) - 1,
		397.5/(face*module*module*teeth*teeth) - 1,
		1.93*l1*l1*l1/(module*teeth*math.Pow(d1, 4)) - 1,
		1.93*l2*l2*l2/(module*teeth*math.Pow(d2, 4)) - 1,
		math.Sqrt(square(745*l1/(module*teeth))+16.9e6)/(110*d1*d1*d1) - 1,
		math.Sqrt(square(745*l2/(module*teeth))+157.5e6)/(85*d2*d2*d2) - 1,
		module*teeth/40 - 1,
		5*module/face - 1,
		face/(12*module) - 1,
		(1.5*d1+1.9)/l1 - 1,
		(1.1*d2+1.9)/l2 - 1,
	}
}

func square(x float64) float64 { return x * x }
