package collector

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// nearDepth is how deep keys of nested objects are looked at.
const nearDepth = 4

// nearJSON remembers why lines of JSON gave no value of the objective.
type nearJSON struct {
	found   bool // the objective had a value
	line    int  // lines so far
	bad     int  // lines that are no JSON object
	firstNo string
	tries   int
	score   int // of close
	close   string
}

// look considers a line in which samples were found, or err.
func (n *nearJSON) look(objective, line string, samples []Sample, err error) {
	if n.found {
		return
	}
	if slices.ContainsFunc(samples, func(s Sample) bool { return s.Metric == objective }) {
		*n = nearJSON{found: true}
		return
	}
	if err != nil {
		n.bad++
		if n.bad == 1 {
			n.firstNo = fmt.Sprintf("line %d %s: %v", n.line, shown(line), err)
		}
		if n.score < 1 && n.bad <= nearTries && reads(objective, nil, line) {
			n.score, n.close = 1, fmt.Sprintf("line %d %s would have been read with format TEXT", n.line, shown(line))
		}
		return
	}
	if n.tries == nearTries {
		return
	}
	n.tries++
	object, err := decodeObject(line)
	if err == nil {
		n.keys(object, "", newNear(objective), nearDepth)
	}
}

// keys looks for the key that is most like the objective.
func (n *nearJSON) keys(object map[string]any, prefix string, like near, depth int) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		name, value := prefix+key, object[key]
		if inner, ok := value.(map[string]any); ok && depth > 1 {
			n.keys(inner, name+".", like, depth-1)
			continue
		}
		score := 1 + like.score(name)
		if score == 1 || score <= n.score {
			continue
		}
		text, _ := scalarText(value)
		switch {
		case text != "" && isNumber(text):
			n.score, n.close = score, fmt.Sprintf("line %d has %q: %s, so that the metric name %q would have matched", n.line, key, text, name)
		case name == like.objective:
			written, _ := json.Marshal(value) // it was read from JSON
			n.score, n.close = score, fmt.Sprintf("line %d has %q, but %s is no number", n.line, key, shown(string(written)))
		}
	}
}

// text is the report.
func (n *nearJSON) text(objective string) string {
	parts := []string{fmt.Sprintf("metric %q was not found; lines read as JSON: %d", objective, n.line)}
	if n.bad > 0 {
		parts = append(parts, fmt.Sprintf("%d lines are no JSON object, first %s", n.bad, n.firstNo))
	}
	if n.close != "" {
		parts = append(parts, n.close)
	}
	return strings.Join(parts, "; ")
}
