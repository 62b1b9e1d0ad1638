// Digits trains a small neural network on 1,797 handwritten digits and prints its losses epoch
// by epoch. It is an ordinary training program: it knows nothing of the tuner that runs it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
)

const (
	dropout = 0.2  // share of the hidden units that a training step leaves out
	decay   = 1e-4 // factor of the L2 penalty
)

// Config is the hyperparameters of one training run.
type Config struct {
	LearningRate float64
	Momentum     float64
	BatchSize    int
	Epochs       int
	Hidden       int    // units of each of the two hidden layers
	Seed         uint64 // of the split, the first weights, dropout and the order of samples
}

// Default returns settings that learn the task well.
func Default() Config {
	return Config{LearningRate: 0.02, Momentum: 0.9, BatchSize: 64, Epochs: 60, Hidden: 36, Seed: 1}
}

// Validate reports every setting that is out of range.
func (c Config) Validate() error {
	var faults []error
	if !(c.LearningRate > 0) { // NaN too
		faults = append(faults, fmt.Errorf("learning-rate: want a number above 0, got %v", c.LearningRate))
	}
	if !(c.Momentum >= 0 && c.Momentum < 1) {
		faults = append(faults, fmt.Errorf("momentum: want at least 0 and below 1, got %v", c.Momentum))
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"batch-size", c.BatchSize}, {"epochs", c.Epochs}, {"hidden", c.Hidden}} {
		if n.value < 1 {
			faults = append(faults, fmt.Errorf("%s: want at least 1, got %d", n.name, n.value))
		}
	}
	return errors.Join(faults...)
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "digits:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	c := Default()
	flags := flag.NewFlagSet("digits", flag.ContinueOnError)
	flags.Float64Var(&c.LearningRate, "learning-rate", c.LearningRate, "step size of gradient descent")
	flags.Float64Var(&c.Momentum, "momentum", c.Momentum, "share of the last step that is taken again")
	flags.IntVar(&c.BatchSize, "batch-size", c.BatchSize, "samples per step")
	flags.IntVar(&c.Epochs, "epochs", c.Epochs, "passes over the training part")
	flags.IntVar(&c.Hidden, "hidden", c.Hidden, "units of each hidden layer")
	flags.Uint64Var(&c.Seed, "seed", c.Seed, "of the split, the first weights, dropout and the order of samples")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err := c.Validate(); err != nil {
		return err
	}
	samples, err := Samples()
	if err != nil {
		return err
	}
	return train(c, Split(samples, c.Seed), out)
}

// train fits a network to p.Train and prints a line per epoch, at once. The test part is
// looked at only when training is over.
func train(c Config, p Parts, out io.Writer) error {
	random := rand.New(rand.NewPCG(c.Seed, 1))
	net := NewNetwork([]int{pixels, c.Hidden, c.Hidden, classes}, random)
	for epoch := 1; epoch <= c.Epochs; epoch++ {
		trainLoss := pass(net, p.Train, c, random)
		loss, accuracy := net.Evaluate(p.Validation)
		if _, err := fmt.Fprintf(out, "epoch %d: val_loss=%.4f val_accuracy=%.4f train_loss=%.4f\n",
			epoch, loss, accuracy, trainLoss); err != nil {
			return fmt.Errorf("print epoch %d: %w", epoch, err)
		}
	}
	_, accuracy := net.Evaluate(p.Test)
	if _, err := fmt.Fprintf(out, "test_accuracy=%.4f weights=%d\n", accuracy, net.Weights()); err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}

// pass trains on every sample once, in random order, and returns the mean loss met on the way.
func pass(net *Network, samples []Sample, c Config, random *rand.Rand) float64 {
	order := random.Perm(len(samples))
	sum := 0.0
	for start := 0; start < len(order); start += c.BatchSize {
		batch := order[start:min(start+c.BatchSize, len(order))]
		for _, i := range batch {
			s := &samples[i]
			net.drop(dropout, random)
			sum += crossEntropy(net.forward(s.Pixels[:]), s.Label)
			net.backward(s.Pixels[:], s.Label)
		}
		net.step(c.LearningRate, c.Momentum, decay, len(batch))
	}
	return sum / float64(len(samples))
}
