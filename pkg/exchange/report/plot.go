package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// plot is a picture in SVG. Lengths are in its own units, from the upper left corner.
type plot struct {
	Width, Height            float64
	Left, Right, Top, Bottom float64 // edges of the area that holds data
	Label                    string  // for those who do not see it
	X, Y                     axis
	Marks                    []mark
	Dots                     []dot
	Columns                  []column // axes that stand beside each other, in place of X and Y
	Title                    string

	y scale
}

// mark is a path of one look. Text, unless it is "", says what it is when it is pointed at.
type mark struct{ Class, Path, Text string }

// dot is a trial that says which it is when it is pointed at.
type dot struct {
	Class string
	X, Y  string
	Text  string
}

// axis has its name and its ticks.
type axis struct {
	Name  string
	Ticks []tick
}

type tick struct {
	At     string
	Text   string
	Turned bool // aslant, below the area
}

// column is an upright axis.
type column struct {
	X, After string // of the axis, and of the texts right of it
	Name     string
	Ticks    []tick
}

// newPlot makes one with room for labels.
func newPlot(width, height float64) *plot {
	return &plot{Width: width, Height: height, Left: 56, Right: width - 18, Top: 22, Bottom: height - 36}
}

// scale maps values to a line from one length to another.
type scale struct {
	low, high float64
	log       bool
	from, to  float64
}

// logFrom is the ratio of the ends from which on positive values get a logarithmic axis.
const logFrom = 100

// newScale makes a scale for values; logarithmic where they are positive and wide apart.
func newScale(values []float64, from, to float64) scale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if finite(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	s := scale{low, high, low > 0 && high/low >= logFrom && finite(high/low), from, to}
	switch {
	case low > high:
		s.low, s.high = 0, 1
	case low == high:
		d := math.Abs(low) / 10
		if d == 0 {
			d = 1
		}
		s.low, s.high = low-d, high+d
	case s.log:
		d := math.Pow(high/low, 0.04)
		s.low, s.high = max(low/d, math.SmallestNonzeroFloat64), high*d
	default:
		d := high/25 - low/25
		s.low, s.high = low-d, high+d
	}
	if !finite(s.low) || !finite(s.high) {
		s.low, s.high = low, high
	}
	return s
}

// at returns where a value is; ends where it lies beyond.
func (s scale) at(v float64) float64 {
	share := (v/2 - s.low/2) / (s.high/2 - s.low/2) // halved, for the widest range does not overflow then
	if s.log {
		share = math.Log(max(0, v)/s.low) / math.Log(s.high/s.low) // what is not positive lies beyond the lower end
	}
	return s.from + (s.to-s.from)*max(0, min(share, 1))
}

// ticks returns about n round values, with the digits that it takes to tell them apart.
func (s scale) ticks(n int) (out []tick) {
	values := s.round(n)
	for i, v := range values {
		if v == 0 {
			values[i] = 0 // not -0
		}
	}
	texts := apart(values)
	for i, v := range values {
		out = append(out, tick{At: length(s.at(v)), Text: texts[i]})
	}
	return out
}

// apart writes values with as few digits as keep different ones apart, at least four.
func apart(values []float64) []string {
	texts := make([]string, len(values))
	for digits := 4; ; digits++ {
		different := true
		for i, v := range values {
			texts[i] = strconv.FormatFloat(v, 'g', digits, 64)
			different = different && (i == 0 || texts[i] != texts[i-1] || v == values[i-1])
		}
		if different || digits >= 17 {
			return rounded(texts)
		}
	}
}

// rounded writes numbers in powers of ten in full where that is no longer: 1.234567e+06 is 1234567.
func rounded(texts []string) []string {
	for i, text := range texts {
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			if full := strconv.FormatFloat(v, 'f', -1, 64); len(full) <= len(text) {
				texts[i] = full
			}
		}
	}
	return texts
}

// glyph is how wide a letter of a tick is at most, in units of the plot.
const glyph = 6.2

// room makes the margins as wide as the texts of an upright axis take, and half of the widest below the area.
func (p *plot) room(left, below []tick) {
	p.Left = max(p.Left, float64(widest(left))*glyph+8)
	p.Right = min(p.Right, p.Width-float64(widest(below))*glyph/2-2)
}

func widest(ticks []tick) (letters int) {
	for _, t := range ticks {
		letters = max(letters, len([]rune(t.Text)))
	}
	return letters
}

// spaced leaves out ticks whose texts would run into each other.
func spaced(ticks []tick) []tick {
	for every := 1; every <= len(ticks); every++ {
		var out []tick
		clear, end := true, math.Inf(-1)
		for i := 0; i < len(ticks); i += every {
			at, _ := strconv.ParseFloat(ticks[i].At, 64)
			half := float64(len([]rune(ticks[i].Text))) * glyph / 2
			clear = clear && at-half > end
			end = at + half
			out = append(out, ticks[i])
		}
		if clear {
			return out
		}
	}
	return ticks
}

// round returns about n values of the scale with few digits.
func (s scale) round(n int) (out []float64) {
	if s.log {
		return s.decades(n)
	}
	width := s.high - s.low
	step := math.Pow(10, math.Floor(math.Log10(width/float64(n))))
	for _, k := range []float64{1, 2, 5, 10} {
		if width/(step*k) <= 1.5*float64(n) {
			step *= k
			break
		}
	}
	if !(step > 0) || !finite(step) {
		return []float64{s.low, s.high}
	}
	for k := math.Ceil(s.low / step); k*step <= s.high && len(out) <= 2*n; k++ {
		out = append(out, k*step)
	}
	return out
}

// decades returns powers of ten, and some between them where there are few.
func (s scale) decades(n int) (out []float64) {
	first, last := math.Floor(math.Log10(s.low)), math.Ceil(math.Log10(s.high))
	every := max(1, math.Ceil((last-first)/float64(n)))
	between := []float64{1}
	if last-first <= 2 {
		between = []float64{1, 2, 5}
	}
	for e := first; e <= last; e += every {
		for _, k := range between {
			if v := k * math.Pow(10, e); v >= s.low && v <= s.high {
				out = append(out, v)
			}
		}
	}
	return out
}

// length is a length as text: tenths of a unit are finer than a screen.
func length(v float64) string {
	return strconv.FormatFloat(math.Round(10*v)/10, 'f', -1, 64)
}

// crowd is how many points are drawn small and pale.
const crowd = 300

// addDots adds a path of points, of many evenly spaced ones.
func (p *plot) addDots(class string, points [][2]float64) {
	if len(points) > crowd {
		class += " crowd"
	}
	p.add(class, dots(thin(points, maxPoints)))
}

// thin keeps at most so many of all, evenly spaced.
func thin[T any](all []T, most int) []T {
	if len(all) <= most {
		return all
	}
	out := make([]T, most)
	for k := range out {
		out[k] = all[k*len(all)/most]
	}
	return out
}

// dots is a path of points, which a round line cap makes visible.
func dots(points [][2]float64) string {
	var b strings.Builder
	for _, p := range points {
		b.WriteString("M" + length(p[0]) + " " + length(p[1]) + "h0")
	}
	return b.String()
}

// line is a path through points.
func line(points [][2]float64) string {
	var b strings.Builder
	for i, p := range points {
		b.WriteByte("ML"[min(i, 1)])
		b.WriteString(length(p[0]) + " " + length(p[1]))
	}
	return b.String()
}

// add adds a path, unless it is empty.
func (p *plot) add(class, path string) {
	if path != "" {
		p.Marks = append(p.Marks, mark{Class: class, Path: path})
	}
}

// Box is what SVG calls the view box.
func (p *plot) Box() string { return fmt.Sprintf("0 0 %s %s", length(p.Width), length(p.Height)) }

// Middle returns the middle of the area, for the name of the axis below.
func (p *plot) Middle() string { return length((p.Left + p.Right) / 2) }

// Below returns where the texts below the area stand.
func (p *plot) Below() string { return length(p.Bottom + 14) }

// Lowest returns where the name of the axis below stands.
func (p *plot) Lowest() string { return length(p.Height - 5) }

// Before returns where the texts left of the area end.
func (p *plot) Before() string { return length(p.Left - 5) }

// Edge returns the lines of the area: left and below.
func (p *plot) Edge() string {
	return line([][2]float64{{p.Left, p.Top}, {p.Left, p.Bottom}, {p.Right, p.Bottom}})
}
