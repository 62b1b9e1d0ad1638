package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Curve is what a trial reported of the objective, thinned out to at most CurvePoints.
type Curve struct {
	Number uint64  // of the trial
	Points []Point // by step
}

// Point is a value of a curve.
type Point struct {
	Step  int64
	Value float64
}

// CurvePoints is how many points of a curve are drawn.
const CurvePoints = 80

// maxCurves is how many trials have theirs drawn.
const maxCurves = 200

// Curved returns the trials whose curves a report shows: those that have begun, of many ones evenly spaced and the best.
func Curved(spec *experiment.Spec, trials []experiment.Trial) []*experiment.Trial {
	best, found := experiment.Best(trials, spec)
	all := begun(trials)
	isBest := func(t *experiment.Trial) bool { return found && t.Number == best.Number }
	out := slices.Clone(thin(all, maxCurves))
	if at := slices.IndexFunc(all, isBest); at >= 0 && !slices.ContainsFunc(out, isBest) {
		out[at*len(out)/len(all)] = all[at] // in place of its neighbour
	}
	return out
}

// curves plots the objective by step, a line per trial; nothing where no trial has reported more than a result.
func (r *report) curves() {
	o := r.spec.Objective
	low, high, longest := math.Inf(1), math.Inf(-1), 0
	var values []float64
	for _, c := range r.Curves {
		for _, p := range c.Points {
			low, high = min(low, float64(p.Step)), max(high, float64(p.Step))
			values = append(values, p.Value)
		}
		longest = max(longest, len(c.Points))
	}
	if longest < 2 || low == high {
		return
	}
	p := newPlot(880, 300)
	y := newScale(values, p.Bottom-8, p.Top)
	p.room(y.ticks(5), nil)
	x := scale{low: low, high: high, from: p.Left, to: p.Right}
	p.Label = o.ObjectiveMetricName + " of each trial by step"
	p.X, p.Y = axis{"step", whole(x, int(p.Width)/100)}, axis{o.ObjectiveMetricName, y.ticks(5)}
	if o.Goal != nil && *o.Goal >= y.low && *o.Goal <= y.high {
		at := y.at(*o.Goal)
		p.add("goal", line([][2]float64{{p.Left, at}, {p.Right, at}}))
	}
	for _, best := range []bool{false, true} { // on top
		for i := range r.Curves {
			if c := &r.Curves[i]; (r.Best != nil && r.Best.Number == c.Number) == best {
				r.addCurve(p, c, x, y, best)
			}
		}
	}
	r.Course = p
	r.Learning = "A line per trial, as far as it came; that of the best trial stands out."
	if n := len(begun(r.Trials)); n > len(r.Curves) {
		r.Learning += fmt.Sprintf(" %d of %d trials are shown, evenly spaced.", len(r.Curves), n)
	}
}

// begun are the trials that have begun.
func begun(trials []experiment.Trial) (out []*experiment.Trial) {
	for i := range trials {
		if !trials[i].Started.IsZero() {
			out = append(out, &trials[i])
		}
	}
	return out
}

// addCurve draws a curve; values that are not finite interrupt it.
func (r *report) addCurve(p *plot, c *Curve, x, y scale, best bool) {
	if c.Number == 0 || c.Number > uint64(len(r.Trials)) {
		return
	}
	var path strings.Builder
	var piece [][2]float64
	flush := func() {
		if path.WriteString(line(piece)); len(piece) == 1 {
			path.WriteString("h0")
		}
		piece = piece[:0]
	}
	for _, at := range c.Points {
		if !finite(at.Value) {
			flush()
			continue
		}
		piece = append(piece, [2]float64{x.at(float64(at.Step)), y.at(at.Value)})
	}
	flush()
	class := "curve"
	if best {
		class = "curve best"
	}
	t := &r.Trials[c.Number-1]
	p.add(class, path.String())
	if path.Len() > 0 {
		p.Marks[len(p.Marks)-1].Text = fmt.Sprintf("trial %d, %s: %s", t.Number, t.Name, t.State)
	}
}
