package collector

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Text finds metrics in lines of text: "loss=0.3", "loss: 0.3" and what the common training
// libraries print, or what custom filters match.
type Text struct {
	metrics []string // the objective first
	spelled []spelling
	filters []filter // nil: the built-in recognition
	json    *JSON    // for lines that are JSON objects
	near    near
	epoch   int64 // of the last line that named nothing but the epoch
	hits    []hit // scratch
}

// filter is a pattern whose first group is a metric's name and whose second is its value.
type filter struct {
	pattern *regexp.Regexp
	matched bool // has it ever found a wanted metric?
	signs   bool // it tells the signs apart that asciiMinus makes one
}

// NewText returns a collector of the named metrics, the objective first. Filters are regular
// expressions with two groups, name and value; nil means the built-in recognition.
func NewText(metrics, filters []string) (*Text, error) {
	metrics, err := checkMetrics(metrics)
	if err != nil {
		return nil, err
	}
	c := &Text{metrics: metrics, spelled: spellings(metrics), json: NewJSON(metrics), near: newNear(metrics[0])}
	for i, f := range filters {
		pattern, err := regexp.Compile(f)
		if err != nil {
			return nil, fmt.Errorf("metricsFormat[%d]: %w", i, err)
		}
		if pattern.NumSubexp() < 2 {
			return nil, fmt.Errorf("metricsFormat[%d]: %q needs two groups, the name and the value", i, f)
		}
		c.filters = append(c.filters, filter{pattern: pattern, signs: strings.Contains(f, minusSign)})
	}
	return c, nil
}

// Line returns what one line, without its end, says about the wanted metrics, in the order in which
// it says so. Carriage returns inside separate the states of a progress bar. Only the first 64 KiB
// are read.
func (c *Text) Line(line string) []Sample {
	c.near.line++
	line = line[:min(len(line), maxLine)]
	if !strings.Contains(line, "\r") {
		return c.segment(line)
	}
	var samples []Sample
	for part := range strings.SplitSeq(line, "\r") {
		samples = append(samples, c.segment(part)...)
	}
	return samples
}

// Near says, when no value of the objective was found, which lines came close and which filter
// would have matched; "" when the objective was found.
func (c *Text) Near() string {
	if c.near.found {
		return ""
	}
	return c.near.text(c.filters)
}

func (c *Text) segment(line string) []Sample {
	if epoch := epochAlone(line); epoch > 0 {
		c.epoch = epoch
	}
	var samples []Sample
	if c.mentions(line) {
		samples = c.find(plain(line))
	}
	c.near.look(line, samples)
	return samples
}

// mentions tells whether a wanted name may stand in the line at all. In a JSON object the parts of
// a dotted name stand apart.
func (c *Text) mentions(line string) bool {
	if c.filters == nil && strings.HasPrefix(strings.TrimSpace(line), "{") {
		return true
	}
	for _, s := range c.spelled {
		if strings.Contains(line, s.text) {
			return true
		}
	}
	return false
}

func (c *Text) find(line string) []Sample {
	if c.filters != nil {
		return c.complete(line, c.filtered(line))
	}
	line = asciiMinus(line)
	if samples, err := c.json.parse(line); err == nil && len(samples) > 0 {
		return samples
	}
	return c.complete(line, c.recognised(line))
}

// complete adds the time and step of the line.
func (c *Text) complete(line string, samples []Sample) []Sample {
	if len(samples) == 0 {
		return nil
	}
	at, step := stampAt(line), stepIn(line)
	if step == 0 {
		step = c.epoch
	}
	for i := range samples {
		samples[i].Time, samples[i].Step = at, step
		samples[i].Text = strings.Clone(samples[i].Text) // else a kept sample keeps its whole line
	}
	return samples
}

// filtered applies the custom filters, one after the other, as Katib does.
func (c *Text) filtered(line string) []Sample {
	var samples []Sample
	for i := range c.filters {
		f, line := &c.filters[i], line
		if !f.signs {
			line = asciiMinus(line)
		}
		for _, m := range f.pattern.FindAllStringSubmatchIndex(line, -1) {
			if m[2] < 0 || m[4] < 0 {
				continue
			}
			name := strings.TrimSpace(line[m[2]:m[3]])
			value := strings.TrimSpace(line[m[4]:m[5]])
			if !slices.Contains(c.metrics, name) {
				continue
			}
			f.matched = true
			if value == "" || value == "-" || value == "+" { // what Katib's own filter takes of nan and -inf
				value = line[m[4] : m[4]+numberLen(line[m[4]:])]
			}
			if value != "" {
				samples = append(samples, Sample{Metric: name, Text: strings.ToValidUTF8(asciiMinus(value), "\uFFFD")})
			}
		}
	}
	return samples
}
