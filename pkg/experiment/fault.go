package experiment

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// FaultType is the kind of a fault, named as Kubernetes names the causes of an invalid object.
type FaultType string

// The types of fault. FieldUnknown and SyntaxError have no Kubernetes counterpart.
const (
	Required     FaultType = "FieldValueRequired"
	Invalid      FaultType = "FieldValueInvalid"
	Forbidden    FaultType = "FieldValueForbidden"
	Duplicate    FaultType = "FieldValueDuplicate"
	NotSupported FaultType = "FieldValueNotSupported"
	FieldUnknown FaultType = "FieldUnknown"
	SyntaxError  FaultType = "SyntaxError"
)

// Fault is one thing that is wrong, or worth a warning, in an experiment.
type Fault struct {
	File         string
	Line, Column int    // from 1; 0 when the experiment did not come from text
	Path         string // spec.parameters[1].feasibleSpace.min; "" for the text as a whole
	Type         FaultType
	Detail       string
	Value        string // what was given, when that helps
	Nearest      string // the known name that the given one resembles
}

// Error returns "file:line:column: path: detail; did you mean X?" without the parts that are
// not known.
func (f Fault) Error() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File + ":")
	}
	if f.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", f.Line, f.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Detail)
	if f.Value != "" {
		fmt.Fprintf(&b, ", got %q", shortened(f.Value))
	}
	if f.Nearest != "" {
		fmt.Fprintf(&b, "; did you mean %s?", f.Nearest)
	}
	return strings.Map(visible, b.String())
}

// visible replaces what would move a terminal's cursor: names of fields are whatever users write.
func visible(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

// shortened keeps a quoted value from filling the screen.
func shortened(s string) string {
	const longest = 80 // bytes
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "..."
}

// Faults is a list of faults, sorted by position.
type Faults []Fault

// Error lists all faults, one per line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// sort orders the faults by position; faults without one keep their order.
func (fs Faults) sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// uncovered returns those of the faults others that are about no path, nor a field below one, that
// has a fault in fs.
func (fs Faults) uncovered(others Faults) Faults {
	covered := make(map[string]bool, len(fs))
	for _, f := range fs {
		covered[f.Path] = true
	}
	return slices.DeleteFunc(others, func(f Fault) bool {
		for path := f.Path; path != ""; path = path[:max(0, strings.LastIndexAny(path, ".["))] {
			if covered[path] {
				return true
			}
		}
		return false
	})
}

// Nearest returns the name of known that a person may have meant by given: the same but for case,
// else the one at the least edit distance, of at most a third of its length, else the only one of
// which it is a part or that is part of it. "" means none is near.
func Nearest(given string, known []string) string {
	given = strings.ToLower(given)
	best, least := "", min(max(2, len(given)/3+1), len(given))
	var parts []string
	for _, name := range known {
		lower := strings.ToLower(name)
		d := editDistance(given, lower)
		if d == 0 || d < least {
			best, least = name, d
		}
		if min(len(given), len(lower)) >= 3 && (strings.Contains(lower, given) || strings.Contains(given, lower)) {
			parts = append(parts, name)
		}
	}
	if best == "" && len(parts) == 1 {
		return parts[0]
	}
	return best
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours that turn
// a into b (the restricted Damerau-Levenshtein distance, in bytes).
func editDistance(a, b string) int {
	const longest = 64 // no known name is longer; bounds the work on hostile input
	if len(a) > longest || len(b) > longest {
		return max(len(a), len(b)) // as far as can be
	}
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
