package collector

import (
	"cmp"
	"slices"
	"strings"
)

// spelling is one way in which a metric's name stands in text.
type spelling struct {
	text   string
	metric string
}

// hit is a value found in a line, with the name it belongs to.
type hit struct {
	spelling
	start, end int // of the value
}

// spellings returns how names are written: as they are, and for "valid_1 auc" also LightGBM's
// "valid_1's auc".
func spellings(metrics []string) []spelling {
	var out []spelling
	for _, m := range metrics {
		out = append(out, spelling{m, m})
		if before, after, ok := strings.Cut(m, " "); ok {
			out = append(out, spelling{before + "'s " + after, m})
		}
	}
	return out
}

// recognised finds wanted names that are followed by a value. A value belongs to the longest name.
func (c *Text) recognised(line string) []Sample {
	c.hits = c.hits[:0]
	for _, s := range c.spelled {
		for at := 0; ; {
			i := strings.Index(line[at:], s.text)
			if i < 0 {
				break
			}
			at += i
			if start, end, ok := valueOf(line, at, at+len(s.text)); ok {
				c.hits = append(c.hits, hit{s, start, end})
			}
			at += len(s.text)
		}
	}
	slices.SortStableFunc(c.hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(len(b.text), len(a.text)))
	})
	var samples []Sample
	last := -1
	for _, h := range c.hits {
		if h.start != last {
			samples = append(samples, Sample{Metric: h.metric, Text: line[h.start:h.end]})
		}
		last = h.start
	}
	return samples
}

// valueOf returns where the value of the name at line[from:to] stands. A name is whole: what is
// before it is no part of a longer name. As with Katib's default filter "name=" may come after a
// dot or a slash ("val/loss=0.3" gives loss too, unless "val/loss" is wanted itself).
func valueOf(line string, from, to int) (start, end int, ok bool) {
	before := byte(' ')
	if from > 0 {
		before = line[from-1]
	}
	if isWord(before) || before == '-' || before == '|' {
		return 0, 0, false
	}
	at := to
	if at < len(line) && (line[at] == '"' || line[at] == '\'') && line[at] == before {
		at++
	}
	blank := spaces(line[at:])
	at += blank
	if at == len(line) {
		return 0, 0, false
	}
	switch mark := line[at]; {
	case mark == '=':
		return valueFrom(line, at+1, false)
	case isName(before):
		return 0, 0, false
	case mark == ':':
		return valueFrom(line, at+1, true)
	case bar(line[at:]) > 0 && inTable(line[:from]):
		return valueFrom(line, at+bar(line[at:]), true)
	case blank > 0 && listed(line[:from]):
		start, end, ok = valueFrom(line, at, true)
		return start, end, ok && strings.ContainsAny(line[start:end], ".eEnN")
	}
	return 0, 0, false
}

// bars separate the columns of printed tables.
var bars = []string{"│", "┃", "║", "|"}

// bar returns the length of the bar that s begins with, 0 if there is none.
func bar(s string) int {
	for _, b := range bars {
		if strings.HasPrefix(s, b) {
			return len(b)
		}
	}
	return 0
}

// inTable tells whether a name after prefix is the content of a table's cell.
func inTable(prefix string) bool {
	prefix = strings.TrimRight(prefix, " \t")
	return slices.ContainsFunc(bars, func(b string) bool { return strings.HasSuffix(prefix, b) })
}

// valueFrom reads the value at line[at:] after white space.
func valueFrom(line string, at int, strict bool) (start, end int, ok bool) {
	at += spaces(line[at:])
	start, end, ok = valueAt(line[at:], strict)
	return at + start, at + end, ok
}

// listed tells whether a name after prefix starts an item: nothing, a number or a mark is before
// it. Only then "loss 0.3" is a metric; "target accuracy 0.95" is talk.
func listed(prefix string) bool {
	prefix = strings.TrimRight(prefix, " \t")
	if prefix == "" {
		return true
	}
	last := prefix[len(prefix)-1]
	return isDigit(last) || strings.IndexByte(",;:|()[]{}-%", last) >= 0
}

func spaces(s string) int {
	n := 0
	for n < len(s) && isSpace(s[n]) {
		n++
	}
	return n
}
