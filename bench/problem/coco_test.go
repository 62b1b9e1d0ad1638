package problem

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

// TestAgainstCOCO puts the functions at the places of COCO's own instances and compares values with
// those of the Python package coco-experiment.
func TestAgainstCOCO(t *testing.T) {
	python := cocoPython(t)
	var asked []string
	var ours []float64
	for number := 1; number <= 24; number++ {
		for _, d := range []int{2, 5, 10, 20} {
			for _, instance := range []int64{1, 2, 7} {
				b := cocoInstance(number, d, instance)
				for _, x := range cocoPoints(b) {
					text, err := json.Marshal([]any{number, d, instance, x})
					if err != nil {
						t.Fatal(err)
					}
					asked = append(asked, string(text))
					ours = append(ours, b.fopt+b.excess(x))
				}
			}
		}
	}
	for i, theirs := range askCOCO(t, python, asked) {
		// Rounding of coordinates, 1e-15, times the steepest slope relative to the value: f12's and
		// f23's oscillations of 2^32 per unit have amplitudes of 2^-32.
		if diff := math.Abs(ours[i] - theirs); !(diff <= 1e-9*max(1, math.Abs(theirs))) {
			t.Errorf("%s: got %.15g, COCO has %.15g", asked[i], ours[i], theirs)
		}
	}
}

// cocoPython finds a Python that has the module cocoex: that of bench/problem/install, or the one on
// the path.
func cocoPython(t *testing.T) string {
	t.Helper()
	python := filepath.Join(cacheFolder(), "problem-coco", "bin", "python3")
	if _, err := os.Stat(python); err == nil {
		return python
	}
	testenv.PythonModule(t, "cocoex")
	return testenv.Program(t, "python3")
}

// cocoPoints are random points of the domain, and some near the optimum.
func cocoPoints(b *bbob) [][]float64 {
	source := rand.New(rand.NewPCG(uint64(b.number), uint64(b.d)))
	points := make([][]float64, 6)
	for k := range points {
		points[k] = make([]float64, b.d)
		fillUniform(points[k], source)
		if k >= 3 {
			for i, v := range points[k] {
				points[k][i] = max(-bbobDomain, min(b.xopt[i]+v*math.Pow(10, float64(1-k)), bbobDomain))
			}
		}
	}
	return points
}

const cocoScript = `
import json, sys, cocoex
problems = {}
for line in sys.stdin:
    f, d, i, x = json.loads(line)
    if (f, d, i) not in problems:
        suite = cocoex.Suite("bbob", "instances: %d" % i, "dimensions: %d function_indices: %d" % (d, f))
        problems[f, d, i] = (suite, suite[0])
    print(json.dumps(float(problems[f, d, i][1](x))))
`

func askCOCO(t *testing.T, python string, asked []string) []float64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, "-c", cocoScript)
	cmd.Stdin = strings.NewReader(strings.Join(asked, "\n"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ask COCO: %v\n%s", err, stderr.String())
	}
	values := make([]float64, len(asked))
	lines := strings.Fields(string(out))
	if len(lines) != len(asked) {
		t.Fatalf("COCO answered %d of %d points", len(lines), len(asked))
	}
	for i, line := range lines {
		if _, err := fmt.Sscan(line, &values[i]); err != nil {
			t.Fatalf("COCO's value %q: %v", line, err)
		}
	}
	return values
}

// cocoInstance computes the places of COCO's instances: Hansen et al. 2009 give the generator of
// random numbers and the order of draws. A seed of 1,000,000 more is that of the second draw.
func cocoInstance(number, d int, instance int64) *bbob {
	base := int64(number)
	switch number { // share the places of their first variants
	case 4:
		base = 3
	case 18:
		base = 17
	}
	seed := base + 10000*instance
	const second = 1000000
	b := &bbob{number: number, d: d, fopt: cocoFopt(seed), xopt: cocoXopt(d, seed)}
	first, other := cocoRotation(d, seed), cocoRotation(d, seed+second)
	switch number {
	case 6, 7, 13, 23, 24: // R is the matrix nearest to x
		b.r, b.q = first, other
	case 8, 9, 19, 21, 22:
		b.r = first
	default:
		b.r, b.q = other, first
	}
	switch number {
	case 4, 5, 8, 9, 19:
		b.restrict(nil)
	case 12:
		b.xopt = cocoXopt(d, seed+second)
	case 20:
		b.xopt = cocoUniform(d, seed)
		for i := range b.xopt {
			b.xopt[i] -= 0.5
		}
		b.restrict(nil)
	case 24:
		b.xopt = cocoNormal(d, seed)
		b.restrict(nil)
	case 21:
		b.cocoPeaks(101, math.Sqrt(1000), 5, seed)
	case 22:
		b.cocoPeaks(21, 1000, 4.9, seed)
	}
	return b
}

func (b *bbob) cocoPeaks(n int, first, reach float64, seed int64) {
	order := argsort(cocoUniform(n-1, seed))
	places := cocoUniform(n*b.d, seed)
	y := make([]float64, b.d)
	for i := range n {
		p := peak{w: 10, c: make([]float64, b.d)}
		alpha := first
		if i > 0 {
			alpha = math.Pow(1000, float64(order[i-1])/float64(n-2))
			p.w = 1.1 + 8*float64(i-1)/float64(n-2)
		}
		ranks := argsort(cocoUniform(b.d, seed+1000*int64(i)))
		for k := range y {
			p.c[k] = math.Pow(alpha, float64(ranks[k])/float64(b.d-1)-0.5)
			y[k] = reach * (2*places[i*b.d+k] - 1)
			if i == 0 {
				y[k] *= 0.8
			}
		}
		if i == 0 {
			b.xopt = slices.Clone(y)
		}
		p.y = multiply(b.r, y)
		b.peaks = append(b.peaks, p)
	}
}

func argsort(values []float64) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		if values[i] < values[j] {
			return -1
		}
		return 1
	})
	return order
}

// cocoUniform is the generator of Park and Miller with a shuffle of 32 numbers.
func cocoUniform(n int, seed int64) []float64 {
	const modulus = 2147483647
	state := max(1, seed)
	next := func() int64 {
		state = 16807 * state % modulus
		return state
	}
	var table [32]int64
	for i := 39; i >= 0; i-- {
		v := next()
		if i < len(table) {
			table[i] = v
		}
	}
	last := table[0]
	out := make([]float64, n)
	for i := range out {
		v := next()
		slot := last / 67108865
		last, table[slot] = table[slot], v
		out[i] = max(float64(last)/modulus, 1e-99)
	}
	return out
}

func cocoNormal(n int, seed int64) []float64 {
	u := cocoUniform(2*n, seed)
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Sqrt(-2*math.Log(u[i])) * math.Cos(2*math.Pi*u[n+i])
	}
	return out
}

// cocoRotation makes columns orthonormal.
func cocoRotation(d int, seed int64) []float64 {
	columns := cocoNormal(d*d, seed) // one after the other
	for i := range d {
		c := columns[i*d : i*d+d]
		for j := range i {
			along := dot(c, columns[j*d:j*d+d])
			for k := range c {
				c[k] -= along * columns[j*d+k]
			}
		}
		norm := math.Sqrt(dot(c, c))
		for k := range c {
			c[k] /= norm
		}
	}
	m := make([]float64, d*d)
	for i := range d {
		for j := range d {
			m[i*d+j] = columns[j*d+i]
		}
	}
	return m
}

func cocoXopt(d int, seed int64) []float64 {
	x := cocoUniform(d, seed)
	for i := range x {
		x[i] = 8*math.Floor(1e4*x[i])/1e4 - 4
		if x[i] == 0 {
			x[i] = -1e-5
		}
	}
	return x
}

func cocoFopt(seed int64) float64 {
	ratio := cocoNormal(1, seed)[0] / cocoNormal(1, seed+1)[0]
	return min(1000, max(-1000, math.Floor(100*100*ratio+0.5)/100))
}
