package report

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/tuned-hpo/tuned/bench/run"
)

// plotKinds are the plots of a section.
var plotKinds = []string{"regret", "ecdf", "rank"}

func plotName(suite string, workers int, kind string) string {
	return fmt.Sprintf("%s-w%d-%s.png", strings.ReplaceAll(suite, "/", "-"), workers, kind)
}

// Plots draws the sections of runs into a folder.
func Plots(runs []*run.Trajectory, dir string) error {
	for _, g := range group(runs) {
		for _, kind := range plotKinds {
			if err := savePlot(g.draw(kind), filepath.Join(dir, plotName(g.suite, g.workers, kind))); err != nil {
				return fmt.Errorf("plot %s of %s: %w", kind, g.suite, err)
			}
		}
	}
	return nil
}

// savePlot writes a plot as PNG, with its legend to the right, which takes the room that it needs.
func savePlot(p *plot.Plot, name string) error {
	const width, height, gap, dots = 15 * vg.Centimeter, 11 * vg.Centimeter, 20, 144
	names := p.Legend
	p.Legend = plot.NewLegend()
	need := names.Rectangle(draw.New(vgimg.New(width, height))).Size()
	img := vgimg.NewWith(vgimg.UseWH(width+need.X+2*gap, max(height, need.Y+2*gap)), vgimg.UseDPI(dots))
	all := draw.New(img)
	p.Draw(draw.Crop(all, 0, -need.X-2*gap, 0, 0))
	names.Draw(draw.Crop(all, width+gap, 0, 0, -gap))
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = vgimg.PngCanvas{Canvas: img}.WriteTo(f)
	return errors.Join(err, f.Close())
}

// curve is a figure after each number of trials, with a band.
type curve struct {
	name      string
	ours      bool
	mid       []float64
	low, high []float64 // nil for no band
}

// draw draws one plot of a group.
func (g *runGroup) draw(kind string) *plot.Plot {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s, %d runs", g.suite, len(g.keys))
	if g.workers > 1 {
		p.Title.Text += fmt.Sprintf(", %d workers", g.workers)
	}
	p.X.Label.Text = "trials"
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(roundTicks), plot.TickerFunc(roundTicks)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Points(2)
	p.Add(plotter.NewGrid())
	var curves []curve
	switch kind {
	case "regret":
		p.X.Label.Text = "trials; bands are 95 % intervals of the mean"
		p.Y.Label.Text = "log10 regret less that of random search"
		curves = g.regretCurves()
	case "ecdf":
		p.Y.Label.Text = "ECDF: share of (run, target) pairs reached"
		curves = g.targetCurves()
	case "rank":
		p.Y.Label.Text = "mean rank, 1 is best"
		curves = g.rankCurves()
	}
	names := make([]string, len(curves))
	for i, c := range curves {
		names[i] = c.name
	}
	looks := styles(names)
	for i, c := range curves { // below all lines
		c.band(p, looks[i])
	}
	for i, c := range curves {
		c.line(p, looks[i])
	}
	p.X.Min = 0
	room := 0.02 * (p.Y.Max - p.Y.Min) // or the edge would cut lines in half
	p.Y.Min, p.Y.Max = p.Y.Min-room, p.Y.Max+room
	return p
}

// band adds the band of a curve to a plot.
func (c curve) band(p *plot.Plot, s style) {
	if c.low == nil {
		return
	}
	edge := make(plotter.XYs, 0, 2*len(c.mid))
	for t := range c.mid {
		edge = append(edge, plotter.XY{X: float64(t + 1), Y: c.high[t]})
	}
	for t := len(c.mid) - 1; t >= 0; t-- {
		edge = append(edge, plotter.XY{X: float64(t + 1), Y: c.low[t]})
	}
	if area, err := plotter.NewPolygon(edge); err == nil { // an infinite interval has no band
		area.Color = color.NRGBA{s.colour.R, s.colour.G, s.colour.B, 28}
		area.Width = 0
		p.Add(area)
	}
}

// line adds a curve to a plot: ours in bold.
func (c curve) line(p *plot.Plot, s style) {
	points := make(plotter.XYs, len(c.mid))
	for t, y := range c.mid {
		points[t] = plotter.XY{X: float64(t + 1), Y: y}
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return // a curve with NaN, of an optimizer that took no part
	}
	line.Color, line.Dashes = s.colour, s.dashes
	line.Width = vg.Points(1.2)
	if c.ours {
		line.Width = vg.Points(2.4)
	}
	p.Add(line)
	p.Legend.Add(c.name, line)
}

// everyone are the optimizers with runs, ours first so that they keep their colours.
func (g *runGroup) everyone() []string {
	var ours, peers []string
	for _, name := range g.optimizers {
		runs := g.did(name)
		switch {
		case len(runs) == 0:
		case runs[0].Ours && name != Random:
			ours = append(ours, name)
		default:
			peers = append(peers, name)
		}
	}
	return slices.Concat(ours, peers)
}

// isOurs is true for built-in algorithms but random search, which is the yardstick.
func (g *runGroup) isOurs(name string) bool {
	runs := g.did(name)
	return name != Random && len(runs) > 0 && runs[0].Ours
}

// regretCurves are paired with random search, so that bands show what is not known rather than how
// unlike problems are. Without random search they are plain means.
func (g *runGroup) regretCurves() []curve {
	refs := g.reference()
	var out []curve
	for _, name := range g.everyone() {
		c := curve{name: name, ours: g.isOurs(name)}
		runs := g.did(name)
		for t := 1; t <= g.budget; t++ {
			samples := make([]sample, len(runs))
			for i, tr := range runs {
				samples[i] = sample{tr.Cluster, regretAt(tr, t)}
				if r, ok := refs[tr.Problem]; ok {
					samples[i].value -= r.logMean[t-1]
				}
			}
			i := spread(samples)
			c.mid, c.low, c.high = append(c.mid, i.Mean), append(c.low, i.Low), append(c.high, i.High)
		}
		out = append(out, c)
	}
	return out
}

// spread is the mean with its interval by the normal theory of clusters' sums, which is quicker
// than the bootstrap and good enough to look at: the variance of a ratio of sums (Cochran 1977,
// eq. 6.13).
func spread(samples []sample) Interval {
	sums, counts := clusterSums(samples)
	total, n := 0.0, 0.0
	for i := range sums {
		total += sums[i]
		n += counts[i]
	}
	m, k := total/n, float64(len(sums))
	squares := 0.0
	for i := range sums {
		d := sums[i] - m*counts[i]
		squares += d * d
	}
	half := 1.96 * math.Sqrt(squares*k/(k-1)) / n
	return Interval{m, m - half, m + half}
}

// targetCurves are the empirical cumulative distributions of how many trials it takes to reach a
// target (Hansen et al. 2021, doi:10.1080/10556788.2020.1808977, section 4): the share of all pairs of
// a run and a target that are reached.
func (g *runGroup) targetCurves() []curve {
	refs := g.reference()
	var out []curve
	for _, name := range g.everyone() {
		c := curve{name: name, ours: g.isOurs(name), mid: make([]float64, g.budget)}
		runs := g.did(name)
		for t := range c.mid {
			for _, tr := range runs {
				c.mid[t] += g.reached(refs, fineTargets[:], tr, t+1) / float64(len(runs))
			}
		}
		out = append(out, c)
	}
	return out
}

func (g *runGroup) rankCurves() []curve {
	var names []string
	for _, name := range g.everyone() {
		if len(g.runs[name]) == len(g.keys) {
			names = append(names, name)
		}
	}
	out := make([]curve, len(names))
	for i, name := range names {
		out[i] = curve{name: name, ours: g.isOurs(name), mid: make([]float64, g.budget)}
	}
	row := make([]float64, len(names))
	for t := range g.budget {
		for _, k := range g.keys {
			for i, name := range names {
				row[i] = regretAt(g.runs[name][k], t+1)
			}
			for i, r := range ranks(row) {
				out[i].mid[t] += r / float64(len(g.keys))
			}
		}
	}
	return out
}
