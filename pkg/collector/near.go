package collector

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	nearKept  = 3    // candidates kept
	nearLine  = 1024 // bytes of a line that are looked at
	nearShown = 120  // bytes of a line that are shown
	nearTries = 1000 // lines analysed in search of candidates
)

// near remembers the lines that looked most like the objective until the objective is found.
type near struct {
	objective string
	words     []string // of the objective
	found     bool     // the objective had a value
	line      int      // lines so far
	tries     int
	best      []candidate // by falling score, equal ones in order of appearance
}

// candidate is a line that looks like the objective.
type candidate struct {
	line  int
	text  string
	shape uint64 // equal for lines that differ in their numbers only
	score int
	proposal
}

// proposal is a name and its value found in a line, and the filter that takes them. Without a
// filter the objective's name is there, but no number can be read.
type proposal struct {
	name, filter string
}

func newNear(objective string) near {
	return near{objective: objective, words: nameWords(objective)}
}

// nameWords splits a metric's name into its words.
func nameWords(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool {
		return r < 0x80 && (!isWord(byte(r)) || r == '_')
	})
}

// look considers a line in which samples were found.
func (n *near) look(line string, samples []Sample) {
	if n.found {
		return
	}
	if slices.ContainsFunc(samples, func(s Sample) bool { return s.Metric == n.objective }) {
		n.found, n.best = true, nil
		return
	}
	line = line[:min(len(line), nearLine)]
	score := n.score(line)
	if score == 0 || n.tries == nearTries || len(n.best) == nearKept && score <= n.best[nearKept-1].score {
		return
	}
	shape := shapeOf(line)
	if slices.ContainsFunc(n.best, func(c candidate) bool { return c.shape == shape }) {
		return
	}
	n.tries++
	line = asciiMinus(plain(line))
	p, score := n.propose(line)
	if score == 0 {
		return
	}
	n.best = append(n.best, candidate{n.line, strings.Clone(line), shape, score, p})
	slices.SortStableFunc(n.best, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	n.best = n.best[:min(len(n.best), nearKept)]
}

// score says how much of the objective's name stands in text: 2 for a word, 1 for the first three
// letters of one at the start of a word (acc for accuracy), and 1 more for the name itself.
func (n *near) score(text string) int {
	score := 0
	for _, w := range n.words {
		score += wordScore(text, w)
	}
	if score > 0 && strings.Contains(text, n.objective) {
		score++
	}
	return score
}

func wordScore(text, word string) int {
	stem := word[:min(3, len(word))]
	best := 0
	for i := 0; i+len(stem) <= len(text); i++ {
		if text[i]|0x20 != stem[0]|0x20 || !strings.EqualFold(text[i:i+len(stem)], stem) {
			continue
		}
		starts := i == 0 || !isWord(text[i-1]) || text[i-1] == '_'
		if len(text)-i >= len(word) && strings.EqualFold(text[i:i+len(word)], word) && (starts || len(word) > 3) {
			return 2
		}
		if starts {
			best = 1
		}
	}
	return best
}

// shapeOf hashes a line (FNV-1a) with each run of digits taken as one.
func shapeOf(line string) uint64 {
	hash := uint64(14695981039346656037)
	for i := 0; i < len(line); i++ {
		c := line[i]
		if isDigit(c) {
			if i > 0 && isDigit(line[i-1]) {
				continue
			}
			c = '0'
		}
		hash = (hash ^ uint64(c)) * 1099511628211
	}
	return hash
}

// text is the report. Filters are the custom ones that were in use.
func (n *near) text(filters []filter) string {
	var b strings.Builder
	fmt.Fprintf(&b, "metric %q was not found; lines read: %d", n.objective, n.line)
	for _, f := range filters {
		if !f.matched {
			fmt.Fprintf(&b, "; metricsFormat %s never matched a wanted metric", yamlQuote(f.pattern.String()))
		}
	}
	for _, c := range n.best {
		if c.score == n.best[0].score {
			fmt.Fprintf(&b, "; line %d %s %s", c.line, shown(c.text), c.advice(n.objective))
		}
	}
	return b.String()
}

// advice says what would have read the candidate's line. Everything that it names was tried.
func (c candidate) advice(objective string) string {
	switch {
	case reads(objective, nil, c.text):
		return "would have been read without metricsFormat"
	case c.filter == "":
		return "has the name, but no number that can be read"
	case c.name == objective:
		return "looks close: metricsFormat " + yamlQuote(c.filter) + " would have matched"
	case reads(c.name, nil, c.text):
		return "looks close: the metric name " + strconv.Quote(c.name) + " would have matched"
	}
	return fmt.Sprintf("looks close: the metric name %q with metricsFormat %s would have matched", c.name, yamlQuote(c.filter))
}

// reads tells whether a collector of one metric finds it in the line.
func reads(metric string, filters []string, line string) bool {
	c, err := NewText([]string{metric}, filters)
	return err == nil && c.mentions(line) && len(c.find(line)) > 0
}

// yamlQuote writes s as YAML text in which a backslash means itself.
func yamlQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func shown(line string) string {
	line = strings.TrimSpace(line)
	if len(line) > nearShown {
		line = strings.ToValidUTF8(line[:nearShown], "") + "..."
	}
	return strconv.Quote(line)
}
