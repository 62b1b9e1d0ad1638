package main

import (
	"math"
	"math/rand/v2"
)

// Network is a multilayer perceptron: dense layers, ReLU between them, softmax at the end. Its
// loss is the mean cross entropy in nats. It is not safe for concurrent use.
type Network struct {
	layers []layer
	deltas [][]float64 // of the loss by each layer's output, before the activation
}

// layer is y = Wx + b with what training it needs.
type layer struct {
	in, out int
	w, b    []float64 // w is out by in, row by row
	gw, gb  []float64 // gradient, summed over a batch
	vw, vb  []float64 // velocity of momentum
	y       []float64 // output for the sample at hand
	keep    []float64 // dropout: 0, or 1/(1-rate), per output
}

// NewNetwork returns a network with layers of the given sizes, from input to output. Weights
// are drawn from N(0, 2/in): He et al. 2015, eq. 10.
func NewNetwork(sizes []int, random *rand.Rand) *Network {
	n := &Network{}
	for i, out := range sizes[1:] {
		in := sizes[i]
		l := layer{
			in: in, out: out,
			w: make([]float64, in*out), b: make([]float64, out),
			gw: make([]float64, in*out), gb: make([]float64, out),
			vw: make([]float64, in*out), vb: make([]float64, out),
			y: make([]float64, out), keep: make([]float64, out),
		}
		scale := math.Sqrt(2 / float64(in))
		for j := range l.w {
			l.w[j] = scale * random.NormFloat64()
		}
		n.layers = append(n.layers, l)
		n.deltas = append(n.deltas, make([]float64, out))
	}
	return n
}

// Weights returns how many numbers the network consists of.
func (n *Network) Weights() int {
	sum := 0
	for i := range n.layers {
		sum += len(n.layers[i].w) + len(n.layers[i].b)
	}
	return sum
}

// Evaluate returns the mean loss over the samples and the share classified correctly.
func (n *Network) Evaluate(samples []Sample) (loss, accuracy float64) {
	n.drop(0, nil)
	hits := 0
	for i := range samples {
		p := n.forward(samples[i].Pixels[:])
		loss += crossEntropy(p, samples[i].Label)
		if argmax(p) == samples[i].Label {
			hits++
		}
	}
	count := float64(len(samples))
	return loss / count, float64(hits) / count
}

// drop draws which hidden units take part in the next sample. Rate 0 keeps all of them.
func (n *Network) drop(rate float64, random *rand.Rand) {
	for i := range n.layers[:len(n.layers)-1] {
		keep := n.layers[i].keep
		for j := range keep {
			keep[j] = 1 / (1 - rate)
			if rate > 0 && random.Float64() < rate {
				keep[j] = 0
			}
		}
	}
}

// forward returns the logarithms of the class probabilities, valid until the next call.
func (n *Network) forward(x []float64) []float64 {
	for i := range n.layers {
		l := &n.layers[i]
		hidden := i < len(n.layers)-1
		for o := range l.y {
			y := l.b[o] + dot(l.w[o*l.in:(o+1)*l.in], x)
			if hidden {
				y = relu(y) * l.keep[o]
			}
			l.y[o] = y
		}
		x = l.y
	}
	logSoftmax(x)
	return x
}

// backward adds the gradient of the sample's loss to the layers' sums. It follows forward of
// the same sample.
func (n *Network) backward(x []float64, label int) {
	last := len(n.layers) - 1
	for o, logp := range n.layers[last].y {
		n.deltas[last][o] = math.Exp(logp)
	}
	n.deltas[last][label]--
	for i := last; i >= 0; i-- {
		l := &n.layers[i]
		input := x
		if i > 0 {
			input = n.layers[i-1].y
			clear(n.deltas[i-1])
		}
		for o, delta := range n.deltas[i] {
			if delta == 0 {
				continue // an inactive unit: it has no part in the gradient
			}
			l.gb[o] += delta
			axpy(delta, input, l.gw[o*l.in:(o+1)*l.in])
			if i > 0 {
				axpy(delta, l.w[o*l.in:(o+1)*l.in], n.deltas[i-1])
			}
		}
		if i > 0 {
			n.layers[i-1].gate(n.deltas[i-1])
		}
	}
}

// gate turns the derivative by the activation into the one by its input, in place.
func (l *layer) gate(delta []float64) {
	for o, y := range l.y {
		if y == 0 {
			delta[o] = 0
		} else {
			delta[o] *= l.keep[o]
		}
	}
}

// step moves the weights along the batch's mean gradient and clears it. Decay is the L2
// penalty's factor; it spares the biases.
func (n *Network) step(rate, momentum, decay float64, batch int) {
	for i := range n.layers {
		l := &n.layers[i]
		descend(l.w, l.gw, l.vw, rate, momentum, decay, batch)
		descend(l.b, l.gb, l.vb, rate, momentum, 0, batch)
	}
}

func descend(w, g, v []float64, rate, momentum, decay float64, batch int) {
	for i := range w {
		v[i] = momentum*v[i] - rate*(g[i]/float64(batch)+decay*w[i])
		w[i] += v[i]
		g[i] = 0
	}
}

// logSoftmax turns scores into logarithms of probabilities, in place. Taking the largest score
// out first keeps the exponentials finite.
func logSoftmax(x []float64) {
	top := x[argmax(x)]
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	norm := top + math.Log(sum)
	for i := range x {
		x[i] -= norm
	}
}

func crossEntropy(logp []float64, label int) float64 { return -logp[label] }

// relu lets NaN through, so that a diverged network shows.
func relu(v float64) float64 {
	if v < 0 {
		return 0
	}
	return v
}

func argmax(x []float64) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

func dot(a, b []float64) float64 {
	b = b[:len(a)]
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// axpy adds a*x to y.
func axpy(a float64, x, y []float64) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += a * v
	}
}
