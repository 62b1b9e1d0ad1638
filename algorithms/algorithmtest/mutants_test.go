package algorithmtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// learner is a small correct algorithm: it moves a random point towards the best one told, and
// ends in a finite space when every cell was suggested. A mutant breaks one thing of it.
type learner struct {
	problem algorithms.Problem
	mutant  string

	best   searchspace.Point
	loss   float64
	told   []searchspace.Point
	asked  int                     // questions answered by this instance
	kept   []algorithms.Trial      // of mutants
	given  []algorithms.Suggestion // of mutants
	memory []byte
	begin  func() (end func()) // see OnFit
}

func learnerDefinition(mutant string) algorithms.Definition {
	d := algorithms.Definition{
		Name: "learner", Summary: "moves towards the best",
		Settings: []algorithms.Setting{{Name: "pull", Type: algorithms.FloatSetting, Max: 1, Default: "0.5", Help: "how far"}},
		New: func(p algorithms.Problem, _ algorithms.Values) (algorithms.Suggester, error) {
			if mutant == "refuses constraints" && p.Constraints > 0 {
				return nil, fmt.Errorf("no constraints, please")
			}
			l := &learner{problem: p, mutant: mutant, loss: math.Inf(1)}
			switch {
			case len(p.Priors) == 0:
			case mutant == "changes priors":
				p.Priors[0].Trials[0].Losses[0] = -7
			case mutant == "learns from priors in secret":
				l.Tell(p.Priors[0].Trials)
			}
			return l, nil
		},
	}
	d.Chooses, d.Remaining = chooses(mutant), remaining(mutant)
	again := 0
	d.Advise = func(_ algorithms.Problem, v algorithms.Values) []algorithms.Advice {
		again++
		switch pull := v.Float("pull", 0); {
		case mutant == "changes the values that it advises on":
			v["pull"] = 0.1
		case mutant == "advises against its defaults":
			return []algorithms.Advice{{Setting: "pull", Text: "it pulls"}}
		case pull > 0:
		case mutant == "advises on no setting":
			return []algorithms.Advice{{Text: "it pulls"}}
		case mutant == "advises without a word":
			return []algorithms.Advice{{Setting: "pull"}}
		case mutant != "advises now and then" || again%2 == 0:
			return []algorithms.Advice{{Setting: "pull", Text: "0 stays where it is; give more"}}
		}
		return nil
	}
	switch mutant {
	case "declares itself seedless":
		d.Seedless = true
	case "declares that it learns from priors":
		d.Priors = true
	case "no summary":
		d.Summary = ""
	case "bad default":
		d.Settings[0].Default = "2"
	case "setting without a type":
		d.Settings[0].Type, d.Settings[0].Default = 0, ""
	case "setting twice":
		d.Settings = append(d.Settings, d.Settings[0])
	case "refuses every space":
		d.Check = func(algorithms.Problem, algorithms.Values) error { return fmt.Errorf("no") }
	}
	return d
}

func (l *learner) OnFit(begin func() (end func())) { l.begin = begin }

// fit is as short as a fit can be.
func (l *learner) fit() {
	if l.begin == nil {
		return
	}
	end := l.begin()
	if l.mutant != "leaves a fit open" {
		end()
	}
}

func (l *learner) Tell(finished []algorithms.Trial) {
	for _, t := range finished {
		if len(t.Point) != l.problem.Space.Len() {
			if l.mutant == "panics on a foreign point" {
				panic("foreign point")
			}
			continue
		}
		if l.mutant == "sorts what it is told" {
			slices.Sort(t.Point)
		}
		if l.mutant == "keeps what it is told" {
			l.told = append(l.told, t.Point)
		} else {
			l.told = append(l.told, slices.Clone(t.Point))
		}
		if len(t.Losses) == 0 && l.mutant != "panics on too few losses" {
			continue
		}
		nan := t.State == algorithms.Failed || math.IsNaN(t.Losses[0])
		if !nan && t.Losses[0] < l.loss {
			l.best, l.loss = slices.Clone(t.Point), t.Losses[0]
			if l.mutant == "keeps what it is told" {
				l.best = t.Point
			}
		}
	}
	if l.mutant == "panics on no trial" && len(finished) == 0 {
		panic("no trial")
	}
}

func (l *learner) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	l.fit()
	taken := slices.Clone(l.told)
	for _, t := range pending {
		taken = append(taken, t.Point)
	}
	if l.mutant == "ignores pending trials" {
		taken = slices.Clone(l.told)
	}
	var out []algorithms.Suggestion
	for _, id := range ids {
		stream := id
		if l.mutant == "heeds the place in a batch" {
			stream += uint64(len(out)) << 32
		}
		if l.mutant == "shows off when somebody listens" && l.begin != nil {
			stream++
		}
		p := l.fresh(stream, taken)
		if p == nil {
			return l.end(out)
		}
		if l.mutant != "repeats within a batch" {
			taken = append(taken, p)
		}
		out = append(out, algorithms.Suggestion{ID: id, Point: slices.Clone(p), Memo: []byte{byte(id)}})
		l.asked++
	}
	return l.distort(ids, pending, out)
}

// fresh draws points until one is not taken; nil means that none was found.
func (l *learner) fresh(id uint64, taken []searchspace.Point) searchspace.Point {
	seed := l.problem.Seed
	switch l.mutant {
	case "ignores the seed":
		seed = 1
	case "draws from a global source":
		seed = rand.Uint64()
	case "counts its questions":
		id = uint64(l.asked)
	case "heeds the order of pending trials":
		if n := len(l.told); len(taken) > n {
			seed += uint64(math.Abs(taken[n][0]))
		}
	}
	if l.mutant == "repeats within a batch" || l.mutant == "ignores pending trials" {
		id /= 4
	}
	r := rand.New(rand.NewPCG(seed, id))
	u := make([]float64, l.problem.Space.Len())
	for range 50 {
		for i := range u {
			u[i] = r.Float64()
		}
		if l.best != nil && r.IntN(2) == 0 && l.problem.Space.Contains(l.best) == nil {
			for i, b := range l.problem.Space.Encode(l.best) {
				u[i] = (u[i] + b) / 2
			}
		}
		p := l.problem.Space.Decode(u)
		if !slices.ContainsFunc(taken, func(q searchspace.Point) bool { return samePoint(p, q) }) {
			return p
		}
	}
	return l.firstFree(taken)
}

// firstFree searches the cells of a finite space for one that is not taken.
func (l *learner) firstFree(taken []searchspace.Point) searchspace.Point {
	cells, finite := l.problem.Space.Cells()
	if !finite {
		return nil
	}
	for k := range min(cells, uint64(len(taken)+1)) {
		if p := l.problem.Space.Cell(k); !slices.ContainsFunc(taken, func(q searchspace.Point) bool { return samePoint(p, q) }) {
			return p
		}
	}
	return nil
}

func (l *learner) end(out []algorithms.Suggestion) ([]algorithms.Suggestion, error) {
	switch l.mutant {
	case "fails at the end":
		return nil, fmt.Errorf("out of points")
	case "ends in silence":
		return out, nil
	case "restarts after the end":
		l.told = nil
	}
	return out, algorithms.ErrExhausted
}

// distort makes mutants of right answers.
func (l *learner) distort(ids []uint64, pending []algorithms.Trial, out []algorithms.Suggestion) ([]algorithms.Suggestion, error) {
	switch l.mutant {
	case "answers one too few":
		return out[:max(0, len(out)-1)], nil
	case "answers nothing to a question for nothing":
		if len(ids) == 0 {
			return nil, fmt.Errorf("asked for nothing")
		}
	case "answers for other trials":
		for i := range out {
			out[i].ID++
		}
	case "leaves the space":
		for i := range out {
			out[i].Point[0] = -1e6
		}
	case "sets what is not active":
		for _, o := range out {
			for i, v := range o.Point {
				if math.IsNaN(v) {
					o.Point[i] = 1
				}
			}
		}
	}
	return l.leak(ids, pending, out)
}

// leak makes mutants that share state with the caller.
func (l *learner) leak(ids []uint64, pending []algorithms.Trial, out []algorithms.Suggestion) ([]algorithms.Suggestion, error) {
	switch l.mutant {
	case "changes its question":
		for i := range ids {
			ids[i]++
		}
	case "changes pending trials":
		for i := range pending {
			pending[i].Losses[0] = 0
		}
	case "keeps what it answers":
		l.given = append(l.given, out...)
		l.best, l.loss = l.given[0].Point, math.Inf(-1)
	case "keeps pending trials":
		l.kept = append(l.kept, pending...)
		if len(l.kept) > 0 {
			l.best, l.loss = l.kept[0].Point, math.Inf(-1)
		}
	case "writes its past into the memo":
		l.memory = append(l.memory, 'x')
		for i := range out {
			out[i].Memo = slices.Clone(l.memory)
		}
	}
	return out, nil
}

// recorder notes that a check failed.
type recorder struct{ failures []string }

func (*recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failure runs one check and returns what it finds first, "" if nothing. A panic is a failure.
func failure(c check, def algorithms.Definition) string {
	r := &recorder{}
	done := make(chan struct{})
	go func() { // Fatalf ends the goroutine
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.Errorf("panic: %v", p)
			}
		}()
		c.run(&subject{T: r, def: def})
	}()
	<-done
	if len(r.failures) == 0 {
		return ""
	}
	return r.failures[0]
}

func TestSuitePassesACorrectAlgorithm(t *testing.T) {
	for _, c := range checks {
		if f := failure(c, learnerDefinition("")); f != "" {
			t.Errorf("%s: %s", c.name, f)
		}
	}
}

// TestSuiteRejectsMutants names for each mutant the check that must find it; every check must find
// some.
func TestSuiteRejectsMutants(t *testing.T) {
	mutants := map[string][]string{
		"definition": {"no summary", "bad default", "setting twice"},
		"settings":   {"setting without a type"},
		"advice": {
			"changes the values that it advises on", "advises against its defaults", "advises on no setting", "advises without a word", "advises now and then",
		},
		"answers": {
			"refuses every space", "ignores pending trials", "repeats within a batch", "fails at the end", "ends in silence",
			"restarts after the end", "answers one too few", "answers for other trials", "leaves the space", "sets what is not active",
		},
		"rebuild":    {"draws from a global source", "counts its questions", "writes its past into the memo", "heeds the order of pending trials"},
		"batches":    {"heeds the place in a batch"},
		"seed":       {"declares itself seedless", "ignores the seed", "draws from a global source"},
		"exhaustion": {"restarts after the end"},
		"slices":     {"sorts what it is told", "keeps what it is told", "changes its question", "changes pending trials", "keeps what it answers", "keeps pending trials"},
		"objectives": {"refuses constraints", "counts its questions"},
		"priors":     {"declares that it learns from priors", "changes priors", "learns from priors in secret"},
		"fits":       {"leaves a fit open", "shows off when somebody listens"},
		"choices": {
			"chooses nobody", "chooses without a reason", "ends a choice before it begins", "changes its mind in between", "changes to the same one",
		},
		"remaining": {
			"expects something else when asked again", "expects from trials that it changes", "expects of other trials", "expects a loss",
			"expects everything", "expects without a scale", "never expects anything",
		},
		"odd questions": {"panics on a foreign point", "panics on no trial", "panics on too few losses", "answers nothing to a question for nothing"},
	}
	for _, c := range checks {
		if len(mutants[c.name]) == 0 {
			t.Errorf("no mutant shows that check %q can fail", c.name)
		}
		for _, m := range mutants[c.name] {
			if failure(c, learnerDefinition(m)) == "" {
				t.Errorf("check %q passes the mutant that %s", c.name, m)
			}
		}
	}
}
