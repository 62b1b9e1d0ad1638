package algorithms

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Registry finds algorithms by name. It is immutable.
type Registry struct {
	defs   []Definition
	byName map[string]int // names and aliases
}

// NewRegistry makes a registry of the given definitions. A name or alias that two of them share, an
// empty one and a default that its own Setting refuses are errors; all are reported at once.
func NewRegistry(defs ...Definition) (*Registry, error) {
	r := &Registry{defs: slices.Clone(defs), byName: make(map[string]int)}
	var faults []error
	for i, d := range r.defs {
		for _, name := range append([]string{d.Name}, d.Aliases...) {
			other, taken := r.byName[name]
			switch {
			case name == "":
				faults = append(faults, fmt.Errorf("definition %d has an empty name", i))
			case taken:
				faults = append(faults, fmt.Errorf("algorithms %s and %s share the name %q", r.defs[other].Name, d.Name, name))
			default:
				r.byName[name] = i
			}
		}
		faults = append(faults, checkSettings(d)...)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return r, nil
}

// checkSettings finds what is wrong with a definition's own settings.
func checkSettings(d Definition) []error {
	var faults []error
	for _, s := range d.Settings {
		if s.Default == "" {
			continue
		}
		if _, err := s.parse(s.Default); err != nil {
			faults = append(faults, fmt.Errorf("algorithm %s: default of %w", d.Name, err))
		}
	}
	return faults
}

// Lookup returns the algorithm of a name or alias.
func (r *Registry) Lookup(name string) (Definition, error) {
	if i, ok := r.byName[name]; ok {
		return r.defs[i], nil
	}
	names := r.Names()
	for alias := range r.byName {
		names = append(names, alias)
	}
	if near := Nearest(name, names); near != "" {
		return Definition{}, fmt.Errorf("unknown algorithm %q, did you mean %q?", name, near)
	}
	return Definition{}, fmt.Errorf("unknown algorithm %q, known are %s", name, strings.Join(r.Names(), ", "))
}

// Names returns the names of all algorithms, in the order of registration, without aliases.
func (r *Registry) Names() []string {
	names := make([]string, len(r.defs))
	for i, d := range r.defs {
		names[i] = d.Name
	}
	return names
}

// Definitions returns all algorithms in the order of registration.
func (r *Registry) Definitions() []Definition { return slices.Clone(r.defs) }

// Nearest returns the candidate most like name, or "" when none is. Of equals it takes the first
// in the alphabet.
func Nearest(name string, candidates []string) string {
	best, least := "", 1+max(1, (len(name)+1)/3) // a typo has one wrong letter in three
	for _, c := range candidates {
		d := distance(strings.ToLower(name), strings.ToLower(c))
		if d < least || d == least && best != "" && c < best {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of bytes to insert, delete or replace to turn a into b (Levenshtein 1966).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
