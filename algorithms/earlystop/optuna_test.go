package earlystop

import (
	"bytes"
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

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/golden"
	"github.com/tuned-hpo/tuned/internal/testenv"
)

// replayed is one study whose trials report curves, several at a time, until a rule stops them.
type replayed struct {
	Rule      string         `json:"rule"` // of Optuna
	Wraps     []any          `json:"wraps,omitempty"`
	Args      map[string]any `json:"args"`
	Direction string         `json:"direction"`
	Width     int            `json:"width"`
	Curves    [][]point      `json:"curves"`

	def      algorithms.PrunerDefinition
	settings []algorithms.RawSetting
}

// point is a step and a value, which JSON has no NaN for.
type point struct {
	step  int64
	value float64
}

func (p point) MarshalJSON() ([]byte, error) {
	var value any = p.value
	if math.IsNaN(p.value) {
		value = "nan"
	}
	return json.Marshal([]any{p.step, value})
}

// rules are Optuna's and ours with the same settings.
var rules = []struct {
	optuna string
	wraps  []any
	ours   algorithms.PrunerDefinition
	names  map[string]string // of Optuna's arguments to our settings
	args   []map[string]any
}{
	{"MedianPruner", nil, MedianStop(), map[string]string{
		"n_startup_trials": "min_trials_required", "n_warmup_steps": "start_step", "interval_steps": "interval_steps",
	}, []map[string]any{
		{"n_startup_trials": 3, "n_warmup_steps": 4, "interval_steps": 1},
		{"n_startup_trials": 1, "n_warmup_steps": 1, "interval_steps": 3},
		{"n_startup_trials": 6, "n_warmup_steps": 2, "interval_steps": 2},
	}},
	{"PercentilePruner", nil, Percentile(), map[string]string{
		"percentile": "percentile", "n_startup_trials": "min_trials_required", "n_warmup_steps": "start_step",
		"interval_steps": "interval_steps", "n_min_trials": "min_trials_at_step",
	}, []map[string]any{
		{"percentile": 25.0, "n_startup_trials": 5, "n_warmup_steps": 0, "interval_steps": 1, "n_min_trials": 1},
		{"percentile": 70.0, "n_startup_trials": 0, "n_warmup_steps": 3, "interval_steps": 2, "n_min_trials": 4},
		{"percentile": 0.0, "n_startup_trials": 8, "n_warmup_steps": 0, "interval_steps": 5, "n_min_trials": 2},
		{"percentile": 100.0, "n_startup_trials": 2, "n_warmup_steps": 0, "interval_steps": 1, "n_min_trials": 1},
	}},
	{"ThresholdPruner", nil, Threshold(), map[string]string{
		"lower": "lower", "upper": "upper", "n_warmup_steps": "start_step", "interval_steps": "interval_steps",
	}, []map[string]any{
		{"lower": -0.5, "n_warmup_steps": 2, "interval_steps": 1},
		{"lower": -1.0, "upper": 1.5, "n_warmup_steps": 0, "interval_steps": 3},
		{"upper": 0.75, "n_warmup_steps": 1, "interval_steps": 2},
	}},
	{"PatientPruner", []any{nil}, Patience(), map[string]string{"patience": "patience", "min_delta": "min_delta"}, []map[string]any{
		{"patience": 3, "min_delta": 0.0}, {"patience": 0, "min_delta": 0.25}, {"patience": 6, "min_delta": 0.125},
	}},
	{"SuccessiveHalvingPruner", nil, SuccessiveHalving(), map[string]string{
		"min_resource": "min_resource", "reduction_factor": "reduction_factor",
		"min_early_stopping_rate": "min_early_stopping_rate", "bootstrap_count": "bootstrap_count",
	}, []map[string]any{
		{"min_resource": 1, "reduction_factor": 4, "min_early_stopping_rate": 0, "bootstrap_count": 0},
		{"min_resource": 2, "reduction_factor": 2, "min_early_stopping_rate": 1, "bootstrap_count": 0},
		{"min_resource": 1, "reduction_factor": 3, "min_early_stopping_rate": 0, "bootstrap_count": 2},
	}},
	{"WilcoxonPruner", nil, Wilcoxon(), map[string]string{"p_threshold": "p_threshold", "n_startup_steps": "start_step"}, []map[string]any{
		{"p_threshold": 0.1, "n_startup_steps": 2}, {"p_threshold": 0.3, "n_startup_steps": 0}, {"p_threshold": 0.05, "n_startup_steps": 6},
	}},
}

// replays returns studies of every rule on curves of several shapes: rounded so that values are equal, with steps
// left out, with values that are no number, several trials at a time.
func replays() (out []replayed) {
	for i, r := range rules {
		for j, args := range r.args {
			for k := range 6 {
				rng := rand.New(rand.NewPCG(uint64(100*i+j), uint64(k)))
				c := replayed{
					Rule: r.optuna, Wraps: r.wraps, Args: args, Direction: []string{"minimize", "maximize"}[k%2], Width: 1 + k%4, def: r.ours,
				}
				for range 30 {
					c.Curves = append(c.Curves, randomCurve(rng, k, r.optuna))
				}
				for name, value := range args {
					c.settings = append(c.settings, algorithms.RawSetting{Name: r.names[name], Value: fmt.Sprint(value)})
				}
				out = append(out, c)
			}
		}
	}
	return out
}

func randomCurve(rng *rand.Rand, shape int, rule string) (curve []point) {
	level, slope := rng.NormFloat64(), rng.Float64()
	var step int64
	if shape%3 == 1 {
		step = 1
	}
	for range 6 + rng.IntN(60) {
		value := level + slope*math.Exp(-float64(step)/8) + 0.3*rng.NormFloat64()
		if shape%4 >= 2 {
			value = math.Round(value*8) / 8
		}
		if shape == 5 && rng.IntN(20) == 0 || shape == 4 && len(curve) < 3 {
			value = math.NaN()
		}
		curve = append(curve, point{step, value})
		step++
		// One report that crosses several rungs leaves open which of them stopped the trial.
		if shape%3 == 2 && rule != "SuccessiveHalvingPruner" {
			step += int64(rng.IntN(3))
		}
	}
	return curve
}

// run returns after how many reports each trial was stopped, or -1.
func (r *replayed) run(t *testing.T) (stopped []int) {
	t.Helper()
	values, err := algorithms.ParsePruner(r.def, r.settings)
	if err != nil {
		t.Fatal(err)
	}
	sign := map[string]float64{"minimize": 1, "maximize": -1}[r.Direction]
	pruner, err := algorithms.NewPruner(r.def, algorithms.Problem{Objectives: 1, Maximized: sign < 0}, values)
	if err != nil {
		t.Fatal(err)
	}
	var finished, running []algorithms.Trial
	begun := 0
	stopped = slices.Repeat([]int{-1}, len(r.Curves))
	for begun < len(r.Curves) || len(running) > 0 {
		for begun < len(r.Curves) && len(running) < r.Width {
			begun++
			running = append(running, algorithms.Trial{ID: uint64(begun), Losses: []float64{math.NaN()}})
		}
		for _, trial := range slices.Clone(running) {
			i := slices.IndexFunc(running, func(other algorithms.Trial) bool { return other.ID == trial.ID })
			curve := r.Curves[trial.ID-1]
			p := curve[len(trial.Curve)]
			trial.Curve = append(trial.Curve, algorithms.Measurement{Step: p.step, Loss: sign * p.value})
			others := append(slices.Clone(finished), slices.Delete(slices.Clone(running), i, i+1)...)
			running[i] = trial
			switch d := pruner.Prune(trial, others); {
			case d.Stop && d.Reason == "":
				t.Errorf("%s: trial %d is stopped without a reason", r.Rule, trial.ID)
			case d.Stop:
				stopped[trial.ID-1], trial.State = len(trial.Curve), algorithms.Pruned
			case len(trial.Curve) == len(curve) && math.IsNaN(p.value):
				trial.State = algorithms.Failed
			case len(trial.Curve) == len(curve):
				trial.State, trial.Losses = algorithms.Succeeded, []float64{sign * p.value}
			default:
				continue
			}
			running = slices.Delete(running, i, i+1)
			finished = append(finished, trial)
		}
	}
	return stopped
}

// TestDecisionsAreOptunas compares each decision with the recorded one of Optuna, and those with Optuna itself
// where it is installed.
func TestDecisionsAreOptunas(t *testing.T) {
	const file = "testdata/optuna.txt"
	cases := replays()
	var got strings.Builder
	stops := 0
	for i := range cases {
		stopped := cases[i].run(t)
		fmt.Fprintf(&got, "%s %v\n", cases[i].Rule, stopped)
		for _, after := range stopped {
			if after > 0 {
				stops++
			}
		}
	}
	if trials := 30 * len(cases); stops < trials/10 || stops > trials*9/10 {
		t.Errorf("%d of %d trials are stopped: the curves tell little", stops, trials)
	}
	golden.Compare(t, file, got.String())
	t.Run("live", func(t *testing.T) {
		var want strings.Builder
		for i, stopped := range askOptuna(t, cases) {
			fmt.Fprintf(&want, "%s %v\n", cases[i].Rule, stopped)
		}
		compareLines(t, got.String(), want.String())
	})
}

func compareLines(t *testing.T, got, want string) {
	t.Helper()
	ours, theirs := strings.Split(got, "\n"), strings.Split(want, "\n")
	if len(ours) != len(theirs) {
		t.Fatalf("%d lines, Optuna has %d", len(ours), len(theirs))
	}
	for i := range ours {
		if ours[i] != theirs[i] {
			t.Errorf("study %d:\ngot    %s\nOptuna %s", i, ours[i], theirs[i])
		}
	}
}

func askOptuna(t *testing.T, cases []replayed) (stopped [][]int) {
	t.Helper()
	place, err := exec.CommandContext(t.Context(), "bash", "-c", "source ../../bench/peers/paths.sh && place optuna").Output()
	if err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(strings.TrimSpace(string(place)), "bin", "python")
	if _, err := os.Stat(python); err != nil {
		testenv.Skip(t, "Optuna is not installed; bench/peers/install optuna does it")
	}
	text, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), python, "testdata/prune.py")
	var stderr bytes.Buffer
	c.Stdin, c.Stderr = bytes.NewReader(text), &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(out, &stopped); err != nil {
		t.Fatal(err)
	}
	return stopped
}
