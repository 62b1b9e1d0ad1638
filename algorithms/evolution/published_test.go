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

// TestLearningRatesOfCmaes wants the evaluations that the package cmaes takes with its learning rates adapted, where that
// is of use: of many local optima, and of noise.
func TestLearningRatesOfCmaes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		f       func([]float64) float64
		target  float64
		noise   float64
		n, most int
	}{
		{"rastrigin", rastrigin, 1e-3, 0, 3, 40000},
		{"noisysphere", sphere, 0.03, 1, 3, 40000},
	} {
		const runs = 15
		want, reached := middle(published(t, "cmaes-lr", tt.name, tt.n, runs, tt.most))
		count := func(adapt bool) (median float64, reached int) {
			var counts []int
			for seed := range uint64(runs) {
				counts = append(counts, adapted(tt.f, tt.n, seed, tt.target, tt.noise, tt.most, adapt))
			}
			return middle(counts)
		}
		got, ours := count(true)
		plain, without := count(false)
		t.Logf("%s: %g evaluations, %d of %d runs; cmaes %g, %d; without %g, %d", tt.name, got, ours, runs, want, reached, plain, without)
		// A run's evaluations differ by some 25 %, so that the medians of 15 and 15 runs differ by 11 %.
		if ours < reached-2 || !(math.Abs(got/want-1) <= 0.33) {
			t.Errorf("%s: %g evaluations in %d of %d runs, cmaes takes %g in %d", tt.name, got, ours, runs, want, reached)
		}
		if without >= ours && !(plain > got) {
			t.Errorf("%s: adapting learning rates does not help", tt.name)
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
