package algorithmtest

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
)

// RunPruner checks that an early-stopping rule keeps the contract of package algorithms. The settings are
// those that the rule requires, if any.
func RunPruner(t *testing.T, def algorithms.PrunerDefinition, settings ...algorithms.RawSetting) {
	t.Helper()
	for _, c := range pruneChecks {
		t.Run(c.name, func(t *testing.T) { c.run(&pruning{T: t, def: def, settings: settings}) })
	}
}

var pruneChecks = []struct {
	name string
	run  func(*pruning)
}{
	{"definition", checkPrunerDefinition},
	{"function", checkFunction},
	{"reasons", checkReasons},
	{"odd curves", checkOddCurves},
	{"together", checkTogether},
}

// pruning is the rule under test.
type pruning struct {
	T
	def      algorithms.PrunerDefinition
	settings []algorithms.RawSetting
}

func (s *pruning) make(maximized bool) algorithms.Pruner {
	s.Helper()
	v, err := algorithms.ParsePruner(s.def, s.settings)
	if err != nil {
		s.Fatalf("parse settings: %v", err)
	}
	p, err := algorithms.NewPruner(s.def, algorithms.Problem{Objectives: 1, Maximized: maximized}, v)
	if err != nil {
		s.Fatalf("make the rule: %v", err)
	}
	return p
}

// moment is one question to a rule.
type moment struct {
	running algorithms.Trial
	others  []algorithms.Trial
}

// moments returns questions about trials of all states whose curves are of any length.
func moments(seed uint64) (out []moment) {
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 150 {
		var m moment
		for id := range uint64(rng.IntN(12)) {
			m.others = append(m.others, curvedTrial(rng, id+1))
		}
		m.running = curvedTrial(rng, uint64(len(m.others)+1))
		m.running.State, m.running.Losses = algorithms.Pending, []float64{math.NaN()}
		out = append(out, m)
	}
	return out
}

func curvedTrial(rng *rand.Rand, id uint64) algorithms.Trial {
	t := algorithms.Trial{ID: id, State: algorithms.State(rng.IntN(4)), Losses: []float64{math.NaN()}}
	level := rng.NormFloat64()
	for step := range int64(1 + rng.IntN(30)) {
		loss := level + 0.2*rng.NormFloat64()
		if rng.IntN(60) == 0 {
			loss = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[rng.IntN(3)]
		}
		t.Curve = append(t.Curve, algorithms.Measurement{Step: step + 1, Loss: loss})
	}
	if t.State == algorithms.Succeeded || t.State == algorithms.Pruned {
		t.Losses[0] = t.Curve[len(t.Curve)-1].Loss
	}
	return t
}

func checkPrunerDefinition(s *pruning) {
	if _, err := algorithms.NewPruners(s.def); err != nil {
		s.Errorf("%v", err)
	}
	if s.def.Summary == "" || strings.Contains(s.def.Summary, "\n") {
		s.Errorf("the summary is %q, want one line", s.def.Summary)
	}
	for _, setting := range s.def.Settings {
		if setting.Help == "" {
			s.Errorf("setting %s says nothing of itself", setting.Name)
		}
	}
}

// checkFunction wants the same answer to the same question, from another instance and after others, and what was
// passed in as it was.
func checkFunction(s *pruning) {
	kept, stops := s.make(false), 0
	for i, m := range moments(1) {
		before := moment{copyTrials([]algorithms.Trial{m.running})[0], copyTrials(m.others)}
		got := kept.Prune(m.running, m.others)
		if got.Stop {
			stops++
		}
		if want := s.make(false).Prune(before.running, copyTrials(before.others)); got != want {
			s.Errorf("question %d: %+v from an instance that has answered others, %+v from a new one", i, got, want)
		}
		if !sameTrials([]algorithms.Trial{m.running}, []algorithms.Trial{before.running}) || !sameTrials(m.others, before.others) {
			s.Errorf("question %d: it changed what it was passed", i)
		}
	}
	if stops == 0 {
		s.Errorf("nothing is stopped: settings that stop some trial prove more")
	}
}

// checkReasons wants a reason on one line exactly where a trial is stopped.
func checkReasons(s *pruning) {
	for _, maximized := range []bool{false, true} {
		p := s.make(maximized)
		for i, m := range moments(2) {
			d := p.Prune(m.running, m.others)
			if d.Stop != (d.Reason != "") || strings.Contains(d.Reason, "\n") {
				s.Errorf("question %d, maximized %t: got %+v", i, maximized, d)
			}
		}
	}
}

// checkOddCurves asks about trials of which little is known.
func checkOddCurves(s *pruning) {
	p := s.make(false)
	nan := algorithms.Measurement{Step: 1, Loss: math.NaN()}
	huge := algorithms.Measurement{Step: math.MaxInt64, Loss: math.MaxFloat64}
	bare := algorithms.Trial{ID: 1, State: algorithms.Succeeded, Losses: []float64{0}}
	early := algorithms.Measurement{Step: math.MinInt64, Loss: 1}
	if d := p.Prune(algorithms.Trial{ID: 2}, []algorithms.Trial{bare}); d.Stop {
		s.Errorf("a trial without a value is stopped: %s", d.Reason)
	}
	for _, curve := range [][]algorithms.Measurement{{nan}, {huge}, {nan, huge}, {early}, {early, nan, huge}, {{Step: 0, Loss: math.Inf(1)}, nan}} {
		t := algorithms.Trial{ID: 2, Losses: []float64{math.NaN()}, Curve: curve}
		finished := t
		finished.State, finished.Losses = algorithms.Succeeded, []float64{1}
		p.Prune(t, nil)
		p.Prune(t, []algorithms.Trial{bare, finished, {ID: 3, State: algorithms.Failed, Losses: []float64{math.NaN()}, Curve: curve}})
	}
}

// checkTogether asks from several goroutines, which the race detector watches.
func checkTogether(s *pruning) {
	p, questions := s.make(false), moments(3)
	answers := make([][]algorithms.Decision, 4)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			for _, m := range questions {
				answers[i] = append(answers[i], p.Prune(m.running, m.others))
			}
		})
	}
	wg.Wait()
	for i := range answers {
		if !reflect.DeepEqual(answers[i], answers[0]) {
			s.Errorf("answers differ when it is asked from several goroutines")
		}
	}
}
