package run

import (
	"errors"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/bench/problem"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// trained is a problem of trials of nine epochs.
func trained(t *testing.T) Task {
	t.Helper()
	p := line(t, 9)
	p.Curve = &problem.Curve{Epochs: 9, Loss: func(x searchspace.Point, epoch int, _, _ uint64) float64 { return x[0] + 1/float64(epoch) }}
	return Task{Suite: "test", Problem: p, Seed: 1, Workers: 1}
}

func start(t *testing.T, name string) Trainer {
	t.Helper()
	e, err := BuiltinTrainer(name)
	if err != nil {
		t.Fatal(err)
	}
	trainer, err := e.Train()
	if err != nil {
		t.Fatal(err)
	}
	if err := trainer.Start(trained(t)); err != nil {
		t.Fatal(err)
	}
	return trainer
}

// TestDealtEpochs wants trainings of the levels of asha, of which those beyond the first go on from the best of the level below.
func TestDealtEpochs(t *testing.T) {
	trainer := start(t, "asha:sampler=random")
	task := trained(t)
	var all []Training
	levels := map[int]int{}
	for id := uint64(1); id <= 40; id++ {
		n, err := trainer.Next(id)
		if err != nil {
			t.Fatal(err)
		}
		epoch := 0
		if n.From > 0 {
			from := all[n.From-1]
			if epoch = from.Until; !slices.Equal(from.Point, n.Point) || from.Until*3 != n.Until {
				t.Fatalf("%+v goes on from %+v", n, from)
			}
		}
		for goesOn := true; goesOn; {
			epoch++
			if goesOn, err = trainer.Report(id, epoch, task.Problem.Curve.Loss(n.Point, epoch, 1, id)); err != nil {
				t.Fatal(err)
			}
		}
		if epoch != n.Until || task.Problem.Space.Contains(n.Point) != nil {
			t.Fatalf("%+v ended after epoch %d", n, epoch)
		}
		all = append(all, n)
		levels[n.Until]++
	}
	if len(levels) != 3 || levels[1] <= levels[3] || levels[3] <= levels[9] || levels[9] == 0 {
		t.Errorf("trainings by last epoch: %v", levels)
	}
	if _, err := trainer.Report(1, 2, 0); err == nil {
		t.Error("a training that has ended is reported")
	}
}

// TestRuleStops wants trials to end at the epoch at which a rule stops them, and others to end at the last one.
func TestRuleStops(t *testing.T) {
	trainer := start(t, "random+threshold:upper=0.9:start_step=3")
	task := trained(t)
	ends := map[int]int{}
	for id := uint64(1); id <= 20; id++ {
		n, err := trainer.Next(id)
		if err != nil || n.Until != 9 || n.From != 0 {
			t.Fatalf("%+v, %v", n, err)
		}
		for epoch := 1; ; epoch++ {
			loss := task.Problem.Curve.Loss(n.Point, epoch, 1, id)
			goesOn, err := trainer.Report(id, epoch, loss)
			if err != nil {
				t.Fatal(err)
			}
			if wrong := loss > 0.9 && epoch >= 3; wrong && goesOn {
				t.Fatalf("trial %d goes on with %g after epoch %d", id, loss, epoch)
			}
			if !goesOn {
				ends[epoch]++
				break
			}
		}
	}
	if ends[3] == 0 || ends[9] == 0 || len(ends) != 2 {
		t.Errorf("trials by last epoch: %v", ends)
	}
}

func TestTrainersThatAreNone(t *testing.T) {
	for _, name := range []string{"ashb", "asha:eta", "asha:eta=x", "tpe+", "tpe+medianstop:no=1", "tpe+threshold:"} {
		if e, err := BuiltinTrainer(name); err == nil || errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: got %v, %v", name, e, err)
		}
	}
}
