package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// output is what there is to see of an objective or a bound, by parameter.
type output struct {
	Title      string
	Guess      string // why the model says nothing yet; "" when it does
	Importance []bar
	Plots      []*plot
	More       int // parameters that are not plotted
}

// bar is a parameter's importance.
type bar struct {
	Name  string
	Total string // with its interactions
	Alone string
	Width string // per cent

	share float64
}

// model adds a section per objective, and one per bound of which the model knows something.
func (r *report) model() {
	model := r.Model
	if model == nil {
		r.NoModel = r.Input.NoModel
		for _, o := range r.spec.Objectives() {
			out := output{Title: o.MetricName + ", to " + o.Type}
			if r.plotParameters(&out, o.MetricName, nil); len(out.Plots) > 0 {
				r.Outputs = append(r.Outputs, out)
			}
		}
		return
	}
	var at []string
	for _, p := range model.At {
		at = append(at, p.Name+" = "+brief(p.Value, fewestDigits))
	}
	r.At = strings.Join(at, ", ")
	for i := range model.Outputs {
		o := &model.Outputs[i]
		out := output{Title: outputTitle(o)}
		var along map[string][]tuner.ModelPoint
		if o.LeftOut.Predicts {
			along = map[string][]tuner.ModelPoint{}
			for _, p := range o.Parameters {
				out.Importance = append(out.Importance, newBar(p))
				along[p.Name] = p.Slice
			}
			slices.SortStableFunc(out.Importance, func(a, b bar) int { return cmp.Compare(b.share, a.share) })
		} else {
			out.Guess = guess(&o.LeftOut)
		}
		r.plotParameters(&out, o.Metric, along)
		r.Outputs = append(r.Outputs, out)
	}
}

func outputTitle(o *tuner.ModelOutput) string {
	switch {
	case o.Max != nil:
		return o.Metric + ", at most " + exact(*o.Max)
	case o.Min != nil:
		return o.Metric + ", at least " + exact(*o.Min)
	}
	return o.Metric + ", to " + o.Type
}

// guess says that a model has shown nothing yet.
func guess(l *tuner.LeftOut) string {
	if !finite(float64(l.Correlation)) {
		return "The model predicts nothing yet: its trials are too few or all alike."
	}
	return fmt.Sprintf("The model predicts nothing yet: its rank correlation with trials left out is %.2f, and chance alone gives up to %.2f.",
		float64(l.Correlation), min(1, float64(l.Chance)))
}

func newBar(p tuner.ModelParameter) bar {
	percent := func(v tuner.Value) string {
		if !finite(float64(v)) {
			return "-"
		}
		return fmt.Sprintf("%.0f%%", 100*float64(v))
	}
	share := 0.
	if p.Total > 0 {
		share = min(1, float64(p.Total))
	}
	return bar{p.Name, percent(p.Total), percent(p.Alone), length(100 * share), share}
}

// plotParameters adds a plot of the metric by each parameter.
func (r *report) plotParameters(out *output, metric string, along map[string][]tuner.ModelPoint) {
	space, err := r.spec.Space()
	if err != nil || len(r.values(metric)) == 0 {
		return // nothing was ever run with it, or there is nothing to plot
	}
	params := space.Parameters()
	for i := range params[:min(len(params), maxPlots)] {
		out.Plots = append(out.Plots, r.scatter(&params[i], metric, along[params[i].Name]))
	}
	out.More = len(params) - len(out.Plots)
}

// scatter plots a metric by one parameter, over what the model expects along it.
func (r *report) scatter(param *searchspace.Parameter, metric string, slice []tuner.ModelPoint) *plot {
	p := newPlot(330, 220)
	p.Title = param.Name
	values := r.values(metric)
	for _, s := range slice {
		values = append(values, float64(s.Mean))
	}
	x := newDial(param, p.Left, p.Right)
	p.room(newScale(values, p.Bottom, p.Top).ticks(4), x.numbers())
	x = newDial(param, p.Left, p.Right)
	if x.crowded() {
		p.Bottom -= 44 // for labels aslant
	}
	y := newScale(values, p.Bottom-4, p.Top)
	p.Label = fmt.Sprintf("%s by %s", metric, param.Name)
	p.X, p.Y = axis{"", x.ticks()}, axis{metric, y.ticks(4)}
	var kept, broken, best [][2]float64
	for i := range r.Trials {
		t := &r.Trials[i]
		text, active := valueOf(t, param.Name)
		v, ok := r.result(t, metric)
		at, known := x.at(text)
		if !ok || !active || !known {
			continue
		}
		point := [2]float64{at + x.jitter(t.Number), y.at(v)}
		switch {
		case r.Best != nil && r.Best.Number == t.Number:
			best = append(best, point)
		case r.feasible(t):
			kept = append(kept, point)
		default:
			broken = append(broken, point)
		}
	}
	r.drawSlice(p, slice, &x, y)
	p.addDots("dots hollow", broken)
	p.addDots("dots", kept)
	p.addDots("dots best", best)
	return p
}

// drawSlice draws the expected values with the range that holds 95 % of them.
func (r *report) drawSlice(p *plot, slice []tuner.ModelPoint, x *dial, y scale) {
	var middle, low, high [][2]float64
	for _, s := range slice {
		at, known := x.at(s.Value)
		if !known || !finite(float64(s.Mean)) {
			continue
		}
		bottom, top := float64(s.Low), float64(s.High)
		if !finite(bottom) {
			bottom = -math.MaxFloat64
		}
		if !finite(top) {
			top = math.MaxFloat64
		}
		middle = append(middle, [2]float64{at, y.at(float64(s.Mean))})
		low, high = append(low, [2]float64{at, y.at(bottom)}), append(high, [2]float64{at, y.at(top)})
	}
	if x.labels != nil { // no curve joins categories
		for k := range middle {
			p.add("span", line([][2]float64{low[k], high[k]}))
			p.add("middle", line([][2]float64{{middle[k][0] - 8, middle[k][1]}, {middle[k][0] + 8, middle[k][1]}}))
		}
		return
	}
	if len(middle) > 0 {
		slices.Reverse(low)
		p.add("band", line(slices.Concat(high, low))+"Z")
		p.add("middle", line(middle))
	}
}

// dial is the axis of a parameter.
type dial struct {
	scale
	labels []string // of a list
}

func newDial(p *searchspace.Parameter, from, to float64) dial {
	d := dial{scale: scale{low: p.Min, high: p.Max, from: from, to: to}}
	d.log = p.Distribution == searchspace.LogUniform || p.Distribution == searchspace.LogNormal
	if p.Values != nil {
		d.labels = p.Values
		d.low, d.high, d.log = -0.5, float64(len(p.Values))-0.5, false
	}
	return d
}

// at returns where a value is; false for one that is none of the parameter's.
func (d *dial) at(text string) (float64, bool) {
	if d.labels != nil {
		k := slices.Index(d.labels, text)
		return d.scale.at(float64(k)), k >= 0
	}
	v := experiment.ParseValue(text)
	return d.scale.at(v), finite(v)
}

// jitter keeps trials of one category apart: by their number, for a report looks the same each time.
func (d *dial) jitter(number uint64) float64 {
	if d.labels == nil {
		return 0
	}
	const golden = 0.6180339887498949
	_, share := math.Modf(float64(number) * golden)
	return (share - 0.5) * min(24, 0.5*(d.to-d.from)/float64(len(d.labels)))
}

// longest is of how many letters a label is shown at most.
const longest = 12

// crowded reports whether labels below an area have no room beside each other.
func (d *dial) crowded() bool {
	return d.from < d.to && 7*float64(min(longestLabel(d.labels), longest)+1)*float64(len(d.labels)) > d.to-d.from
}

// numbers are the ticks of numbers; nil of labels.
func (d *dial) numbers() []tick {
	if d.labels != nil {
		return nil
	}
	return d.ticks()
}

// ticks returns round values, or the labels as far as there is room.
func (d *dial) ticks() []tick {
	if d.labels == nil {
		if d.from < d.to {
			return spaced(d.scale.ticks(4))
		}
		return d.scale.ticks(4)
	}
	var out []tick
	turned, each := d.crowded(), 1.
	if turned || d.from > d.to {
		each = 14 // of a line
	}
	every := max(1, int(math.Ceil(each*float64(len(d.labels))/math.Abs(d.to-d.from))))
	for k := 0; k < len(d.labels); k += every {
		out = append(out, tick{length(d.scale.at(float64(k))), cut(d.labels[k], longest), turned})
	}
	return out
}

func longestLabel(labels []string) (n int) {
	for _, text := range labels {
		n = max(n, len([]rune(text)))
	}
	return n
}

// cut shortens a text to so many letters.
func cut(text string, most int) string {
	letters := []rune(text)
	if len(letters) <= most {
		return text
	}
	return string(letters[:most-1]) + "…"
}

func valueOf(t *experiment.Trial, name string) (string, bool) {
	for _, p := range t.Assignment {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// shades are the classes of lines from the best fifth of trials to the worst.
const shades = 5

// parallel plots a line per trial through its values of all parameters and the objective.
func (r *report) parallel() {
	space, err := r.spec.Space()
	if err != nil || len(r.spec.Parameters) < 2 {
		return
	}
	o := r.spec.Objective
	params := space.Parameters()
	params = params[:min(len(params), maxPlots)]
	ranked := r.ranked()
	shown := ranked[:min(len(ranked), maxLines)]
	if len(shown) < 2 {
		return
	}
	p := newPlot(max(720, 110*float64(len(params)+1)), 300)
	p.Left, p.Right, p.Top = 50, p.Width-max(60, float64(widest(r.resultScale(p, shown).ticks(5)))*glyph+10), 34
	p.Label = "a line per trial through its parameters and " + o.ObjectiveMetricName
	columns := r.parallelColumns(p, params, shown)
	groups := make([]strings.Builder, shades)
	for rank, t := range shown {
		var points [][2]float64
		for _, c := range columns {
			if at, ok := c.at(t); ok { // else the line passes by
				points = append(points, [2]float64{c.x, at})
			}
		}
		groups[rank*shades/len(shown)].WriteString(line(points))
	}
	for k := shades - 1; k >= 0; k-- { // the best on top
		p.add(fmt.Sprintf("thread s%d", k), groups[k].String())
	}
	r.Parallel = p
	r.Lines = "The stronger a line, the better the trial; it passes by parameters that are not active."
	if len(shown) < len(ranked) {
		r.Lines += fmt.Sprintf(" The best %d of %d trials with a result are shown.", len(shown), len(ranked))
	}
}

// upright is one axis of the parallel coordinates.
type upright struct {
	x  float64
	at func(t *experiment.Trial) (float64, bool)
}

// parallelColumns draws the axes, and returns where values are on them.
func (r *report) parallelColumns(p *plot, params []searchspace.Parameter, shown []*experiment.Trial) (out []upright) {
	step := (p.Right - p.Left) / float64(len(params))
	draw := func(x float64, name string, ticks []tick) {
		p.add("axis", line([][2]float64{{x, p.Top}, {x, p.Bottom}}))
		p.Columns = append(p.Columns, column{X: length(x), After: length(x + 4), Name: cut(name, 14), Ticks: ticks})
	}
	for i := range params {
		x := p.Left + step*float64(i)
		d := newDial(&params[i], p.Bottom, p.Top)
		name := params[i].Name
		draw(x, name, d.ticks())
		out = append(out, upright{x, func(t *experiment.Trial) (float64, bool) {
			text, active := valueOf(t, name)
			at, known := d.at(text)
			return at, active && known
		}})
	}
	metric := r.spec.Objective.ObjectiveMetricName
	y := r.resultScale(p, shown)
	draw(p.Right, metric, y.ticks(5))
	return append(out, upright{p.Right, func(t *experiment.Trial) (float64, bool) { return y.at(r.value(t, metric)), true }})
}

// resultScale is that of the objective, upright.
func (r *report) resultScale(p *plot, shown []*experiment.Trial) scale {
	var values []float64
	for _, t := range shown {
		values = append(values, r.value(t, r.spec.Objective.ObjectiveMetricName))
	}
	return newScale(values, p.Bottom, p.Top)
}

// ranked are the trials with a result, the best first; those that do not keep the constraints come after the others.
func (r *report) ranked() (out []*experiment.Trial) {
	o := r.spec.Objective
	for i := range r.Trials {
		if _, ok := r.result(&r.Trials[i], o.ObjectiveMetricName); ok {
			out = append(out, &r.Trials[i])
		}
	}
	broken := func(t *experiment.Trial) int {
		if r.feasible(t) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b *experiment.Trial) int {
		return cmp.Or(cmp.Compare(broken(a), broken(b)), cmp.Compare(o.Loss(r.value(a, o.ObjectiveMetricName)), o.Loss(r.value(b, o.ObjectiveMetricName))))
	})
	return out
}
