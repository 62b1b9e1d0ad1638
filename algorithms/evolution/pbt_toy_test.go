package evolution

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// The toy is that of Katib's simple-pbt and of Ray: accuracy, in percent, grows the faster the nearer the learning
// rate is to one that rises with it up to the middle and falls then, and shrinks at rates that are much too high.

const (
	toyEpochs  = 20 // of one trial
	toyMembers = 40
	toyWorkers = 8
)

// trainToy returns the accuracy after one more trial.
func trainToy(accuracy, rate float64, random *rand.Rand) float64 {
	const (
		middle, highest, lowest = 50., 0.01, 0.001
		tolerance               = 3. // times the best rate
		noise                   = 2.
	)
	for range toyEpochs {
		best := max(lowest, highest*(1-math.Abs(accuracy-middle)/middle))
		wrong := max(rate, best) / min(rate, best)
		switch {
		case wrong < tolerance:
			accuracy += random.Float64() / wrong
		case rate > best:
			accuracy -= (wrong - tolerance) * random.Float64()
		}
		accuracy = max(0, min(accuracy+noise*random.NormFloat64(), 100))
	}
	return accuracy
}

func toySpace(t testing.TB) *searchspace.Space {
	return space(t, searchspace.Parameter{Name: "lr", Kind: searchspace.Double, Min: 0.0001, Max: 0.02, Step: 0.0001})
}

// toyRun is how good the best was after each trial that ended, and when that was.
type toyRun struct {
	best []float64
	time []float64 // of the last of them; one trial takes 1 on the average
}

func (r *toyRun) end(accuracy, now float64) {
	best := accuracy
	if n := len(r.best); n > 0 {
		best = max(best, r.best[n-1])
	}
	r.best, r.time = append(r.best, best), append(r.time, now)
}

// reached is after how many trials, and when, a goal was reached; +Inf if it was not.
func (r *toyRun) reached(goal float64) (trials, time float64) {
	i := slices.IndexFunc(r.best, func(a float64) bool { return a >= goal })
	if i < 0 {
		return math.Inf(1), math.Inf(1)
	}
	return float64(i + 1), r.time[i]
}

// duration is how long a trial takes: some take several times as long as others.
func duration(random *rand.Rand) float64 { return math.Exp(0.5*random.NormFloat64() - 0.125) }

// playPBT lets the algorithm train the toy with so many trials.
func playPBT(t testing.TB, trials int, seed uint64) (run toyRun) {
	p := algorithms.Problem{Space: toySpace(t), Objectives: 1, Seed: seed, Parallel: toyWorkers}
	s, random := newPBT(t, p, "0.2"), rand.New(rand.NewPCG(seed, 1))
	accuracy, end := map[uint64]float64{}, map[uint64]float64{}
	var pending []algorithms.Trial
	now := 0.0
	for id := uint64(1); len(run.best) < trials; {
		for len(pending) < toyWorkers && id <= uint64(trials) {
			out, err := s.Ask([]uint64{id}, pending)
			if err != nil {
				t.Fatal(err)
			}
			accuracy[id] = trainToy(accuracy[out[0].Parent], out[0].Point[0], random)
			end[id] = now + duration(random)
			pending = append(pending, algorithms.Trial{ID: id, Point: out[0].Point, Memo: out[0].Memo, Losses: []float64{math.NaN()}})
			id++
		}
		slices.SortFunc(pending, func(a, b algorithms.Trial) int { return cmp.Compare(end[a.ID], end[b.ID]) })
		done := pending[0]
		pending, now = pending[1:], end[done.ID]
		run.end(accuracy[done.ID], now)
		done.State, done.Losses = algorithms.Succeeded, []float64{-accuracy[done.ID]}
		s.Tell([]algorithms.Trial{done})
	}
	return run
}

// rule makes a generation of the one before.
type rule func(before []toyMember, random *rand.Rand) []toyMember

type toyMember struct{ rate, accuracy float64 }

// nearToy is one of Katib's two factors times a rate.
func nearToy(rate float64, random *rand.Rand) float64 {
	return max(0.0001, min(rate*[]float64{0.8, 1.2}[random.IntN(2)], 0.02))
}

func drawToy(random *rand.Rand) float64 { return 0.0001 * float64(1+random.IntN(200)) }

// ranks returns the members below the quantile of a fifth, the others, and those in the upper fifth.
func ranks(before []toyMember) (lower, rest, upper []int) {
	sorted := make([]float64, len(before))
	for i, m := range before {
		sorted[i] = m.accuracy
	}
	slices.Sort(sorted)
	quantile := func(q float64) float64 {
		at := q * float64(len(sorted)-1)
		i := int(at)
		return sorted[i] + (at-float64(i))*(sorted[min(i+1, len(sorted)-1)]-sorted[i])
	}
	for i, m := range before {
		if m.accuracy < quantile(0.2) {
			lower = append(lower, i)
			continue
		}
		rest = append(rest, i)
		if m.accuracy >= quantile(0.8) {
			upper = append(upper, i)
		}
	}
	return lower, rest, upper
}

// katibRule is Katib's: who is behind takes the parameters of one that is ahead, and keeps its own checkpoint; all
// others change their parameters.
func katibRule(before []toyMember, random *rand.Rand) []toyMember {
	after := slices.Clone(before)
	lower, rest, upper := ranks(before)
	for _, i := range lower {
		after[i].rate = before[upper[random.IntN(len(upper))]].rate
	}
	for _, i := range rest {
		after[i].rate = nearToy(before[i].rate, random)
	}
	return after
}

// paperRule is truncation selection by generations: who is behind takes checkpoint and parameters of one that is
// ahead, and changes these, by a new draw one time in four; all others go on.
func paperRule(before []toyMember, random *rand.Rand) []toyMember {
	after, order := slices.Clone(before), random.Perm(len(before))
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(before[i].accuracy, before[j].accuracy) })
	fifth := len(order) / 5
	for _, i := range order[:fifth] {
		after[i] = before[order[len(order)-1-random.IntN(fifth)]]
		if after[i].rate = nearToy(after[i].rate, random); random.Float64() < 0.25 {
			after[i].rate = drawToy(random)
		}
	}
	return after
}

// playGenerations trains the toy by a rule: no member goes on before all have ended.
func playGenerations(next rule, trials int, seed uint64) (run toyRun) {
	random := rand.New(rand.NewPCG(seed, 2))
	members := make([]toyMember, toyMembers)
	for i := range members {
		members[i].rate = drawToy(random)
	}
	workers := make([]float64, toyWorkers) // when each is free
	for len(run.best) < trials {
		type ended struct{ time, accuracy float64 }
		var ends []ended
		for i := range members {
			m := &members[i]
			m.accuracy = trainToy(m.accuracy, m.rate, random)
			slices.Sort(workers)
			workers[0] += duration(random)
			ends = append(ends, ended{workers[0], m.accuracy})
		}
		slices.SortFunc(ends, func(a, b ended) int { return cmp.Compare(a.time, b.time) })
		for _, e := range ends[:min(len(ends), trials-len(run.best))] {
			run.end(e.accuracy, e.time)
		}
		slices.Sort(workers)
		for i := range workers {
			workers[i] = workers[len(workers)-1]
		}
		members = next(members, random)
	}
	return run
}

// TestToy wants the toy solved in no more trials, and in less time, than by Katib's rule and by generations, over 40
// seeds. The goal is that of Katib's simple-pbt.
func TestToy(t *testing.T) {
	const seeds, budget, goal = 40, 800, 99
	table := [][]string{{"", "trials to 0.99", "time to 0.99", "reached", "accuracy after 400"}}
	trials, times := map[string]float64{}, map[string]float64{}
	for _, by := range []struct {
		name string
		play func(seed uint64) toyRun
	}{
		{"ours", func(seed uint64) toyRun { return playPBT(t, budget, seed) }},
		{"katib", func(seed uint64) toyRun { return playGenerations(katibRule, budget, seed) }},
		{"generations", func(seed uint64) toyRun { return playGenerations(paperRule, budget, seed) }},
	} {
		var n, at, then []float64
		reached := 0
		for seed := range uint64(seeds) {
			run := by.play(seed)
			k, now := run.reached(goal)
			if k <= budget {
				reached++
			}
			n, at, then = append(n, k), append(at, now), append(then, run.best[399])
		}
		trials[by.name], times[by.name] = median(n), median(at)
		number := func(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }
		table = append(table, []string{by.name, number(median(n)), number(median(at)), fmt.Sprint(reached), number(median(then))})
	}
	for _, row := range table {
		t.Log(strings.Join(row, "\t"))
	}
	for _, other := range []string{"katib", "generations"} {
		if trials["ours"] > trials[other] || times["ours"] > times[other] {
			t.Errorf("the goal takes %g trials and time %g, by %s %g and %g", trials["ours"], times["ours"], other, trials[other], times[other])
		}
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}
