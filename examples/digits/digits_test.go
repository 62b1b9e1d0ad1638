package main

import (
	"bytes"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func load(t *testing.T) []Sample {
	t.Helper()
	samples, err := Samples()
	if err != nil {
		t.Fatal(err)
	}
	return samples
}

func count(samples []Sample) (perClass [classes]int) {
	for _, s := range samples {
		perClass[s.Label]++
	}
	return perClass
}

func TestSamples(t *testing.T) {
	samples := load(t)
	if len(samples) != 1797 {
		t.Errorf("%d samples, want 1797", len(samples))
	}
	// Counted by the data set's own description.
	want := [classes]int{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}
	if got := count(samples); got != want {
		t.Errorf("samples per class %v, want %v", got, want)
	}
	least, most := math.Inf(1), math.Inf(-1)
	for _, s := range samples {
		for _, v := range s.Pixels {
			least, most = min(least, v), max(most, v)
		}
	}
	if least != 0 || most != 1 {
		t.Errorf("pixels span [%v, %v], want [0, 1]", least, most)
	}
}

func TestReadSamplesRefuses(t *testing.T) {
	line := strings.Repeat("0,", pixels)
	for name, text := range map[string]string{
		"pixel too dark":   "17," + line[2:] + "3\n",
		"negative pixel":   "-1," + line[2:] + "3\n",
		"fractional pixel": "0.5," + line[2:] + "3\n",
		"no digit":         line + "10\n",
		"label missing":    line[:len(line)-1] + "\n",
		"field too many":   line + "3,4\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readSamples(strings.NewReader(text)); err == nil {
				t.Errorf("accepted %q", text)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	samples := load(t)
	p := Split(samples, 1)
	if got := len(p.Train) + len(p.Validation) + len(p.Test); got != len(samples) {
		t.Errorf("parts hold %d samples together, want %d", got, len(samples))
	}
	// No two images of the data set are alike, so that pixels identify a sample.
	seen := map[[pixels]float64]bool{}
	for _, part := range [][]Sample{p.Train, p.Validation, p.Test} {
		for _, s := range part {
			if seen[s.Pixels] {
				t.Fatalf("a %d is in the parts twice", s.Label)
			}
			seen[s.Pixels] = true
		}
	}
	all := count(samples)
	for name, part := range map[string][]Sample{"validation": p.Validation, "test": p.Test} {
		for class, got := range count(part) {
			if want := all[class] / 5; got != want {
				t.Errorf("%s holds %d of class %d, want a fifth: %d", name, got, class, want)
			}
		}
	}
}

func TestSplitFollowsSeed(t *testing.T) {
	samples := load(t)
	first, again, other := Split(samples, 1), Split(samples, 1), Split(samples, 2)
	if !equal(first.Validation, again.Validation) {
		t.Error("the same seed splits differently")
	}
	if equal(first.Validation, other.Validation) {
		t.Error("another seed splits alike")
	}
}

func equal(a, b []Sample) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// TestGradient compares the gradient with central differences, whose error is of the order of
// h squared (1e-10 at h = 1e-5) plus rounding of about 1e-16/h.
func TestGradient(t *testing.T) {
	const h, tolerance = 1e-5, 1e-7
	s := load(t)[7]
	for name, rate := range map[string]float64{"every unit": 0, "dropout": 0.4} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, 4))
			net := NewNetwork([]int{pixels, 12, 9, classes}, random)
			net.drop(rate, random)
			loss := func() float64 { return crossEntropy(net.forward(s.Pixels[:]), s.Label) }
			loss()
			net.backward(s.Pixels[:], s.Label)
			for i, l := range net.layers {
				checkGradient(t, i, l.w, l.gw, h, tolerance, loss)
				checkGradient(t, i, l.b, l.gb, h, tolerance, loss)
			}
		})
	}
}

func checkGradient(t *testing.T, layer int, weights, gradient []float64, h, tolerance float64, loss func() float64) {
	t.Helper()
	for j, w := range weights {
		weights[j] = w + h
		above := loss()
		weights[j] = w - h
		below := loss()
		weights[j] = w
		if want := (above - below) / (2 * h); math.Abs(gradient[j]-want) > tolerance {
			t.Fatalf("layer %d, weight %d: gradient %v, differences give %v", layer, j, gradient[j], want)
		}
	}
}

// TestEvaluateUntrained holds a network without weights against the loss of pure guessing.
func TestEvaluateUntrained(t *testing.T) {
	net := NewNetwork([]int{pixels, 4, classes}, rand.New(rand.NewPCG(1, 1)))
	for _, l := range net.layers {
		clear(l.w)
	}
	loss, accuracy := net.Evaluate(load(t))
	// Equal scores: ln 10 nats, and the first class is named each time. 1797 terms are summed.
	if math.Abs(loss-math.Log(classes)) > 1797*1e-15 || accuracy != 178.0/1797 {
		t.Errorf("loss %v, accuracy %v, want ln 10 and the share of zeros", loss, accuracy)
	}
}

var (
	epochLine = regexp.MustCompile(`^epoch (\d+): val_loss=(\S+) val_accuracy=(\S+) train_loss=(\S+)$`)
	testLine  = regexp.MustCompile(`^test_accuracy=([0-9.]+) weights=4042$`) // 64*36+36 + 36*36+36 + 36*10+10
)

func output(t *testing.T, args ...string) []string {
	t.Helper()
	var out bytes.Buffer
	if err := run(args, &out); err != nil {
		t.Fatalf("digits %v: %v", args, err)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestLearns(t *testing.T) {
	lines := output(t)
	epochs := lines[:len(lines)-1]
	if len(epochs) != Default().Epochs {
		t.Fatalf("%d epochs printed, want %d", len(epochs), Default().Epochs)
	}
	for i, line := range epochs {
		if m := epochLine.FindStringSubmatch(line); m == nil || m[1] != strconv.Itoa(i+1) {
			t.Fatalf("line %d reads %q", i+1, line)
		}
	}
	accuracy := epochLine.FindStringSubmatch(epochs[len(epochs)-1])[3]
	if v, err := strconv.ParseFloat(accuracy, 64); err != nil || v <= 0.9 {
		t.Errorf("last validation accuracy %s, want above 0.9", accuracy)
	}
	if last := lines[len(lines)-1]; !testLine.MatchString(last) {
		t.Errorf("last line %q, want the test accuracy and the weights", last)
	}
}

func TestRunFollowsSeed(t *testing.T) {
	run := func(seed string) string { return strings.Join(output(t, "--epochs=2", "--seed="+seed), "\n") }
	first := run("5")
	if again := run("5"); again != first {
		t.Errorf("the same seed prints\n%s\nthen\n%s", first, again)
	}
	if other := run("6"); other == first {
		t.Error("another seed prints the same")
	}
}

func TestDivergedRunPrintsNaN(t *testing.T) {
	lines := output(t, "--epochs=3", "--learning-rate=1e200")
	if m := epochLine.FindStringSubmatch(lines[2]); m == nil || m[2] != "NaN" {
		t.Errorf("third epoch reads %q, want val_loss=NaN", lines[2])
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"--learning-rate=0"},
		{"--learning-rate=-1"},
		{"--learning-rate=nan"},
		{"--learning-rate=fast"},
		{"--momentum=1"},
		{"--momentum=nan"},
		{"--batch-size=0"},
		{"--batch-size=1.5"},
		{"--epochs=0"},
		{"--hidden=0"},
		{"--seed=-1"},
		{"--no-such-flag"},
		{"stray"},
	} {
		if err := run(args, &bytes.Buffer{}); err == nil {
			t.Errorf("digits %v: accepted", args)
		}
	}
}
