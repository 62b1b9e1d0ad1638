package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// history plots the objective by trial, with the best so far. Trials without a result are ticks below.
func (r *report) history() {
	if len(r.Trials) == 0 {
		r.History = "No trial has been created yet."
		return
	}
	if len(r.values(r.spec.Objective.ObjectiveMetricName)) == 0 {
		r.History = "No trial has a value to plot."
		return
	}
	r.Wide, r.Narrow = r.course(newPlot(880, 300)), r.course(newPlot(360, 260))
	if len(r.Trials) <= maxNamed {
		for i := range r.Trials {
			r.Wide.Dots = append(r.Wide.Dots, r.dot(&r.Trials[i], r.Wide))
		}
		r.Wide.Marks = slices.DeleteFunc(r.Wide.Marks, func(m mark) bool { return strings.HasPrefix(m.Class, "dots") })
	}
	r.History = "The line is the best value so far"
	if len(r.spec.Constraints()) > 0 {
		r.History += " of trials that keep the constraints; others are hollow"
	}
	r.History += "; marks at the bottom are trials without a result."
	if len(r.Trials) > maxPoints {
		r.History += fmt.Sprintf(" Plots show about %d trials, evenly spaced.", maxPoints)
	}
}

func (r *report) course(p *plot) *plot {
	o := r.spec.Objective
	values := r.values(o.ObjectiveMetricName)
	if o.Goal != nil && len(values) > 0 {
		values = append(values, *o.Goal)
	}
	y := newScale(values, p.Bottom-8, p.Top)
	p.room(y.ticks(5), nil)
	x := scale{low: 0.5, high: float64(len(r.Trials)) + 0.5, from: p.Left, to: p.Right}
	p.Label = fmt.Sprintf("%s of each trial, and the best so far", o.ObjectiveMetricName)
	p.X, p.Y = axis{"trial", whole(x, int(p.Width)/100)}, axis{o.ObjectiveMetricName, y.ticks(5)}
	p.y = y
	if o.Goal != nil {
		at := y.at(*o.Goal)
		p.add("goal", line([][2]float64{{p.Left, at}, {p.Right, at}}))
	}
	c := r.points(x, y)
	if len(c.steps) > 0 {
		c.steps = append(c.steps, [2]float64{p.Right, c.steps[len(c.steps)-1][1]})
	}
	var below strings.Builder
	for _, at := range thin(c.without, maxPoints) {
		below.WriteString("M" + length(at) + " " + length(p.Bottom) + "v-6")
	}
	p.add("without", below.String())
	p.addDots("dots hollow", c.broken)
	p.addDots("dots", c.kept)
	p.add("steps", line(c.steps))
	if best := r.Best; best != nil {
		t := &r.Trials[best.Number-1]
		p.addDots("dots best", [][2]float64{{x.at(float64(t.Number)), y.at(r.value(t, o.ObjectiveMetricName))}})
	}
	return p
}

// points are where trials are in the history.
type points struct {
	kept, broken [][2]float64 // with a result, by whether they keep the constraints
	without      []float64    // along, of those that ended without one
	steps        [][2]float64 // corners of the best so far
}

func (r *report) points(x, y scale) (c points) {
	o := r.spec.Objective
	lowest := math.Inf(1)
	for i := range r.Trials {
		t := &r.Trials[i]
		v, ok := r.result(t, o.ObjectiveMetricName)
		at := [2]float64{x.at(float64(t.Number)), y.at(v)}
		switch {
		case !ok && t.State.Final():
			c.without = append(c.without, at[0])
		case !ok:
		case !r.feasible(t):
			c.broken = append(c.broken, at)
		default:
			c.kept = append(c.kept, at)
			if loss := o.Loss(v); loss < lowest {
				if len(c.steps) > 0 {
					c.steps = append(c.steps, [2]float64{at[0], c.steps[len(c.steps)-1][1]})
				}
				lowest, c.steps = loss, append(c.steps, at)
			}
		}
	}
	return c
}

// whole are the ticks of an axis of numbers of trials.
func whole(x scale, n int) (out []tick) {
	for _, t := range x.round(n) {
		if t == math.Trunc(t) && t > 0 {
			out = append(out, tick{At: length(x.at(t)), Text: fmt.Sprintf("%.0f", t)})
		}
	}
	return out
}

// dot is a trial in the history.
func (r *report) dot(t *experiment.Trial, p *plot) dot {
	x := scale{low: 0.5, high: float64(len(r.Trials)) + 0.5, from: p.Left, to: p.Right}
	v, ok := r.result(t, r.spec.Objective.ObjectiveMetricName)
	d := dot{Class: "gone", X: length(x.at(float64(t.Number))), Y: length(p.Bottom - 3), Text: fmt.Sprintf("trial %d, %s: %s", t.Number, t.Name, t.State)}
	if ok {
		d.Class, d.Y = "trial", length(p.y.at(v))
		d.Text += fmt.Sprintf(", %s = %s", r.spec.Objective.ObjectiveMetricName, short(v))
		if !r.feasible(t) {
			d.Class = "trial hollow"
		}
	}
	if r.Best != nil && r.Best.Number == t.Number {
		d.Class = "trial best"
	}
	return d
}

// values are those of all trials with a result.
func (r *report) values(metric string) (out []float64) {
	for i := range r.Trials {
		if v, ok := r.result(&r.Trials[i], metric); ok {
			out = append(out, v)
		}
	}
	return out
}

// front is the Pareto front: a table, and for the first two objectives a plot.
type front struct {
	Plot   *plot // nil: no trial has a place in it
	Header []string
	Rows   [][]cell
	More   int
}

func (r *report) newFront() *front {
	objectives := r.spec.Objectives()
	if len(objectives) < 2 {
		return nil
	}
	tally := experiment.NewTally(r.spec, r.Trials)
	numbers := tally.Front()
	f := &front{Header: []string{"trial"}}
	if r.plottable(objectives) {
		f.Plot = r.frontPlot(objectives, numbers)
	}
	metrics := r.spec.Needed()
	f.Header = append(f.Header, metrics...)
	for _, p := range r.spec.Parameters {
		f.Header = append(f.Header, p.Name)
	}
	for _, n := range numbers[:min(len(numbers), maxRows)] {
		t := &r.Trials[n-1]
		row := []cell{newCell(fmt.Sprint(n))}
		for _, m := range metrics {
			row = append(row, newCell(r.metric(t, m)))
		}
		f.Rows = append(f.Rows, append(row, r.cells(t)...))
	}
	for k := 1; k < len(f.Header); k++ {
		shorten(len(f.Rows), func(i int) *cell { return &f.Rows[i][k] })
	}
	f.More = len(numbers) - len(f.Rows)
	return f
}

// plottable reports whether a trial has a value of both of the first two objectives.
func (r *report) plottable(objectives []experiment.FurtherObjective) bool {
	return slices.ContainsFunc(r.Trials, func(t experiment.Trial) bool {
		_, a := r.result(&t, objectives[0].MetricName)
		_, b := r.result(&t, objectives[1].MetricName)
		return a && b
	})
}

func (r *report) frontPlot(objectives []experiment.FurtherObjective, numbers []uint64) *plot {
	p := newPlot(460, 320)
	a, b := objectives[0].MetricName, objectives[1].MetricName
	y := newScale(r.values(b), p.Bottom, p.Top)
	p.room(y.ticks(5), newScale(r.values(a), p.Left, p.Right).ticks(5))
	x := newScale(r.values(a), p.Left, p.Right)
	p.Label = fmt.Sprintf("%s and %s of all trials, the Pareto front marked", a, b)
	p.X, p.Y = axis{a + " (" + objectives[0].Type + ")", spaced(x.ticks(5))}, axis{b + " (" + objectives[1].Type + ")", y.ticks(5)}
	var others, broken, on [][2]float64
	for i := range r.Trials {
		t := &r.Trials[i]
		v, okV := r.result(t, a)
		w, okW := r.result(t, b)
		at := [2]float64{x.at(v), y.at(w)}
		switch {
		case !okV || !okW:
		case slices.Contains(numbers, t.Number):
			on = append(on, at)
		case !r.feasible(t):
			broken = append(broken, at)
		default:
			others = append(others, at)
		}
	}
	slices.SortFunc(on, func(a, b [2]float64) int { return cmp.Compare(a[0], b[0]) })
	p.addDots("dots hollow", broken)
	p.addDots("dots", others)
	if len(objectives) == 2 {
		p.add("steps", line(on))
	}
	p.addDots("dots best", on)
	return p
}
