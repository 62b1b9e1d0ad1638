package problem

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Curve is how a trial that is trained epoch by epoch comes to its loss.
type Curve struct {
	Epochs int // of a whole training
	// Loss is what is told after an epoch, which counts from 1. It is a function of its arguments. A trial
	// that goes on from the checkpoint of another is of the same number here.
	Loss func(p searchspace.Point, epoch int, seed, trial uint64) float64
}

// rise is a smooth function of the cube with values from 0 to 1.
type rise struct {
	direction []float64
	phase     float64
}

func newRise(d int, source *rand.Rand) rise {
	r := rise{direction: make([]float64, d), phase: 2 * math.Pi * source.Float64()}
	for i := range r.direction {
		r.direction[i] = source.NormFloat64() / bbobDomain
	}
	return r
}

func (r rise) at(x []float64) float64 { return (1 + math.Sin(dot(r.direction, x)+r.phase)) / 2 }

// makeCurves makes a problem of curves24: learning curves whose rankings cross,
//
//	loss(x, r) = f(x) + c(x) (r^-a(x) - R^-a(x)) + noise / sqrt(r),
//
// of R epochs in all. f is one of the 24 functions, of which half of the cube is below 1/2 and all below 1; its optimum is 0. What is above it at
// first, c, and how fast that goes away, a, are functions of their own of the configuration, so that an epoch
// tells something of the end, and misleads too.
func makeCurves(member string, d int, instance uint64) (*Problem, error) {
	const (
		epochs = 81
		sigma  = 0.05 // noise of the first epoch
		floor  = 1e-4
	)
	p, b, err := rename("curves24", member, d, instance)
	if err != nil {
		return nil, err
	}
	source := rand.New(rand.NewPCG(uint64(b.number)<<32|uint64(d), instance<<32|2))
	height, speed := newRise(d, source), newRise(d, source)
	median := b.median(source)
	final := func(x []float64) float64 {
		e := b.excess(x)
		return e / (e + median)
	}
	noises := newStream(p.Name, "noise")
	loss := func(x searchspace.Point, epoch int, seed, trial uint64) float64 {
		c, a := 0.1+0.5*height.at(x), 0.3+1.2*speed.at(x)
		noise := sigma * noises.draw(seed, trial<<16|uint64(epoch)).NormFloat64()
		return final(x) + c*(math.Pow(float64(epoch), -a)-math.Pow(epochs, -a)) + noise/math.Sqrt(float64(epoch))
	}
	p.Curve = &Curve{Epochs: epochs, Loss: loss}
	p.Eval = func(x searchspace.Point, seed, trial uint64) Result {
		return Result{Losses: []float64{loss(x, epochs, seed, trial)}, True: []float64{final(x)}}
	}
	p.Floor = floor
	p.setOptimum(0)
	return p, nil
}

// median is the excess of the middle one of many points of the cube.
func (b *bbob) median(source *rand.Rand) float64 {
	const points = 1001
	values, x := make([]float64, points), make([]float64, b.d)
	for k := range values {
		fillUniform(x, source)
		values[k] = b.excess(x)
	}
	slices.Sort(values)
	return values[points/2]
}

// hashCurve is what Hash knows of a problem's curve.
func (p *Problem) hashCurve() string {
	text := ""
	if p.Curve != nil {
		p.sample(5, func(x searchspace.Point, _ Result) {
			for epoch := 1; epoch <= p.Curve.Epochs; epoch *= 3 {
				text += fmt.Sprintf("%.9e ", p.Curve.Loss(x, epoch, 1, 1))
			}
		})
	}
	return text
}
