package problem

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// TestRankingsCross wants the first epoch to mislead about a fifth of all pairs of configurations, and a third of all epochs about
// fewer.
func TestRankingsCross(t *testing.T) {
	for _, s := range Suites() {
		if s.Family != "curves24" {
			continue
		}
		early, late, pairs := 0, 0, 0
		for _, p := range problems(t, s) {
			source := rand.New(rand.NewPCG(1, 1))
			draw := func() searchspace.Point {
				x := make(searchspace.Point, 5)
				fillUniform(x, source)
				return x
			}
			for k := range uint64(100) {
				a, b := draw(), draw()
				less := p.Eval(a, 1, 0).True[0] < p.Eval(b, 1, 0).True[0]
				misled := func(epoch int) int {
					if (p.Curve.Loss(a, epoch, 1, 2*k) < p.Curve.Loss(b, epoch, 1, 2*k+1)) != less {
						return 1
					}
					return 0
				}
				early, late, pairs = early+misled(1), late+misled(27), pairs+1
			}
		}
		first, third := float64(early)/float64(pairs), float64(late)/float64(pairs)
		t.Logf("%s/%s: %.3f of the pairs cross after epoch 1, %.3f after epoch 27", s.Set, s.Name, first, third)
		if !(first > 0.15 && first < 0.35 && third < first/2) {
			t.Errorf("%s/%s: %.3f of the pairs cross after epoch 1, %.3f after epoch 27", s.Set, s.Name, first, third)
		}
	}
}

// TestCurve wants a loss that ends at that of the problem, whose optimum is 0, and half of the cube above 1/2.
func TestCurve(t *testing.T) {
	p, err := makeCurves("f08", 5, 3)
	if err != nil {
		t.Fatal(err)
	}
	best := place("f08", 5, 3).xopt
	if r := p.Eval(best, 1, 1); r.True[0] != 0 || p.Regret(r.True[0]) != 0 {
		t.Errorf("the optimum has %+v", r)
	}
	high, source := 0, rand.New(rand.NewPCG(3, 3))
	for k := range uint64(1000) {
		x := make(searchspace.Point, 5)
		fillUniform(x, source)
		if r := p.Eval(x, 1, k); r.True[0] > 0.5 {
			high++
		} else if r.Losses[0] != p.Curve.Loss(x, p.Curve.Epochs, 1, k) {
			t.Fatalf("%v: %+v is not the end of the curve", x, r)
		}
	}
	if math.Abs(float64(high)/1000-0.5) > 0.06 { // 4 standard deviations
		t.Errorf("%d of 1000 points are above 1/2", high)
	}
	sum, squares := 0.0, 0.0
	for k := range uint64(400) {
		d := p.Curve.Loss(best, 9, 1, k) - p.Curve.Loss(best, 9, 2, k)
		sum += d
		squares += d * d
	}
	if sd := math.Sqrt(squares / 800); math.Abs(sd-0.05/3) > 0.002 || math.Abs(sum/400) > 0.005 {
		t.Errorf("after 9 epochs the noise has a deviation of %g and a mean of %g", sd, sum/400)
	}
	hash := p.Hash()
	loss := p.Curve.Loss
	p.Curve.Loss = func(x searchspace.Point, epoch int, seed, trial uint64) float64 {
		if epoch == 27 {
			return 0
		}
		return loss(x, epoch, seed, trial)
	}
	if fmt.Sprint(p.Hash()) == hash {
		t.Error("the hash does not see a curve that has changed")
	}
}
