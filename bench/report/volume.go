package report

import (
	"math"
	"slices"
)

// Volume is what an optimizer's trials dominate on a problem of several objectives, after N trials: the mean over
// seeds of their hypervolume as a part of that of the whole front.
type Volume struct {
	Problem   string `json:"problem"`
	Optimizer string `json:"optimizer"`
	Share     Figure `json:"share"`
}

// volumes returns those of all optimizers, problem by problem.
func (g *runGroup) volumes() []Volume {
	var out []Volume
	for _, k := range g.keys {
		if slices.ContainsFunc(out, func(v Volume) bool { return v.Problem == k.problem }) {
			continue // another seed
		}
		for _, name := range g.optimizers {
			var shares []float64
			for _, tr := range g.did(name) {
				if tr.Problem == k.problem && len(tr.Losses) > 0 && len(tr.Losses[0]) > 1 {
					shares = append(shares, 1-math.Pow(10, regretAt(tr, g.budget)))
				}
			}
			if len(shares) > 0 {
				out = append(out, Volume{k.problem, name, Figure(mean(shares))})
			}
		}
	}
	return out
}

// volumeTable has a row for each problem, and a column for each optimizer.
func (s Section) volumeTable() *Table {
	t := &Table{
		Title: s.title() + ": hypervolume after N trials",
		Note:  "Part of that of the whole front, mean over seeds.", Header: []string{"problem"},
	}
	for _, c := range s.Scores {
		if c.Now+c.Kept > 0 {
			t.Header = append(t.Header, c.Optimizer)
		}
	}
	for i, v := range s.Volumes {
		if i > 0 && s.Volumes[i-1].Problem == v.Problem {
			continue
		}
		row := []string{v.Problem}
		for _, name := range t.Header[1:] {
			row = append(row, decimals(s.Volume(v.Problem, name), 4))
		}
		t.Add(row...)
	}
	return t
}

// Volume returns that of an optimizer on a problem, NaN where it has none.
func (s Section) Volume(problem, optimizer string) Figure {
	for _, v := range s.Volumes {
		if v.Problem == problem && v.Optimizer == optimizer {
			return v.Share
		}
	}
	return Figure(math.NaN())
}
