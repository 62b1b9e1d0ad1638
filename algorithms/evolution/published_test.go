package evolution

import (
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

// published runs another implementation of CMA-ES, of those that bench/peers/install cma installs, and returns its
// evaluations per run, 0 where it took more than most.
func published(t *testing.T, library, function string, n, runs, most int) []int {
	t.Helper()
	place, err := exec.CommandContext(t.Context(), "bash", "-c", "source ../../bench/peers/paths.sh && place cma").Output()
	if err != nil {
		t.Fatal(err)
	}
	folder := strings.TrimSpace(string(place))
	if _, err := os.Stat(filepath.Join(folder, "ready")); err != nil {
		testenv.Skip(t, "bench/peers/install cma was not run")
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(folder, "bin", "python"), "testdata/evaluations.py",
		library, function, strconv.Itoa(n), strconv.Itoa(runs), strconv.Itoa(most))
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var counts []int
	for _, line := range strings.Fields(string(out)) {
		count, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, count)
	}
	return counts
}

// middle is the median of the runs that got there, and how many did.
func middle(counts []int) (median float64, reached int) {
	counts = slices.DeleteFunc(slices.Clone(counts), func(n int) bool { return n == 0 })
	if len(counts) == 0 {
		return math.NaN(), 0
	}
	slices.Sort(counts)
	return float64(counts[len(counts)/2]), len(counts)
}

// TestEvaluationsOfPycma wants as many evaluations down to 1e-8 on convex quadratic functions as pycma takes here and
// now. A run's differ by some 8 %, so that the medians of 41 and 41 runs differ by 2 %.
func TestEvaluationsOfPycma(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    func([]float64) float64
		n    int
	}{
		{"sphere", sphere, 5},
		{"sphere", sphere, 10},
		{"ellipsoid", ellipsoid, 5},
		{"ellipsoid", ellipsoid, 10},
	} {
		const runs = 41
		want, _ := middle(published(t, "pycma", tt.name, tt.n, runs, 20000))
		var counts []int
		for seed := range uint64(runs) {
			counts = append(counts, evaluations(tt.f, slices.Repeat([]float64{1}, tt.n), seed))
		}
		got, _ := middle(counts)
		t.Logf("%s, %d dimensions: %g evaluations, pycma %g", tt.name, tt.n, got, want)
		if !(math.Abs(got/want-1) <= 0.1) {
			t.Errorf("%s, %d dimensions: %g evaluations, pycma takes %g", tt.name, tt.n, got, want)
		}
	}
}

// TestLearningRatesOfCmaes wants the evaluations that the package cmaes takes with its learning rates adapted, on a sphere
// with noise, and fewer than without.
func TestLearningRatesOfCmaes(t *testing.T) {
	const n, runs, most, target, noise = 3, 41, 10000, 0.03, 1
	want, reached := middle(published(t, "cmaes-lr", "noisysphere", n, runs, most))
	count := func(adapt bool) (median float64, reached int) {
		var counts []int
		for seed := range uint64(runs) {
			counts = append(counts, adapted(sphere, n, seed, target, noise, most, adapt))
		}
		return middle(counts)
	}
	got, ours := count(true)
	plain, _ := count(false)
	t.Logf("%g evaluations, %d of %d runs; cmaes %g, %d; without %g", got, ours, runs, want, reached, plain)
	// A run's evaluations differ by some 50 %, so that the medians of 41 and 41 runs differ by 14 %.
	if ours < runs || reached < runs || !(math.Abs(got/want-1) <= 0.35) {
		t.Errorf("%g evaluations in %d of %d runs, cmaes takes %g in %d", got, ours, runs, want, reached)
	}
	if !(plain > got) {
		t.Errorf("%g evaluations without adapting learning rates, %g with", plain, got)
	}
}

// TestManyLocalOptima wants Rastrigin's function in ten dimensions solved by the default population, of which all runs end at a local
// optimum unless learning rates are adapted (Nomura, Akimoto and Ono 2023).
func TestManyLocalOptima(t *testing.T) {
	for seed := range uint64(2) {
		with := adapted(rastrigin, 10, seed, 1e-3, 0, 1_000_000, true)
		without := adapted(rastrigin, 10, seed, 1e-3, 0, 100_000, false)
		if with == 0 || without > 0 {
			t.Errorf("seed %d: %d evaluations, %d without adapting; 0 is for no end", seed, with, without)
		}
	}
}

// adapted counts the evaluations from 3 in each coordinate with step size 2 down to a target, which the mean is to reach
// where there is noise; 0 for more than most.
func adapted(f func([]float64) float64, n int, seed uint64, target, noise float64, most int, adapt bool) int {
	s := newStrategy(slices.Repeat([]float64{3}, n), 2, defaultLambda(n), false)
	if adapt {
		s.learning = newLearning(n, s.shape)
	}
	source := rand.New(rand.NewPCG(seed, 0))
	z, points, values := make([]float64, n), rows(s.lambda, n), make([]float64, s.lambda)
	order := make([]int, s.lambda)
	for count := 0; count < most; {
		for k, v := range points {
			for j := range z {
				z[j] = source.NormFloat64()
			}
			s.sample(z, v)
			values[k], order[k] = f(v), k
			if count++; noise == 0 && values[k] <= target {
				return count
			}
			values[k] += math.Sqrt(noise) * source.NormFloat64()
		}
		if noise > 0 && f(s.mean) <= target {
			return count
		}
		slices.SortFunc(order, func(a, b int) int { return standing{value: values[a]}.compare(standing{value: values[b]}) })
		for k, i := range order {
			s.place(k, points[i], s.generation)
		}
		s.adapt()
	}
	return 0
}

func rastrigin(x []float64) float64 {
	sum := 10 * float64(len(x))
	for _, v := range x {
		sum += v*v - 10*math.Cos(2*math.Pi*v)
	}
	return sum
}
