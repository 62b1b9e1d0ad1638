package algorithms

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Registry finds algorithms by name. It is immutable.
type Registry struct{ catalogue[Definition] }

// NewRegistry makes a registry of the given definitions. A name or alias that two of them share, an
// empty one and a default that its own Setting refuses are errors; all are reported at once.
func NewRegistry(defs ...Definition) (*Registry, error) {
	c, err := newCatalogue("algorithm", defs, func(d Definition) entry { return entry{d.Name, d.Aliases, d.Settings, d.New != nil} })
	if err != nil {
		return nil, err
	}
	return &Registry{c}, nil
}

// Pruners finds early-stopping rules by name. It is immutable.
type Pruners struct{ catalogue[PrunerDefinition] }

// NewPruners makes a registry of the given rules; what is an error to NewRegistry is one here.
func NewPruners(defs ...PrunerDefinition) (*Pruners, error) {
	c, err := newCatalogue("early stopping rule", defs, func(d PrunerDefinition) entry { return entry{d.Name, d.Aliases, d.Settings, d.New != nil} })
	if err != nil {
		return nil, err
	}
	return &Pruners{c}, nil
}

// catalogue finds definitions of one kind by their names and aliases.
type catalogue[D any] struct {
	kind   string // "algorithm", in messages
	defs   []D
	names  []string // parallel to defs
	built  []string // those of them that can be made
	byName map[string]int
}

// entry is what a catalogue knows of a definition.
type entry struct {
	name     string
	aliases  []string
	settings []Setting
	built    bool
}

func newCatalogue[D any](kind string, defs []D, look func(D) entry) (catalogue[D], error) {
	c := catalogue[D]{kind: kind, defs: slices.Clone(defs), byName: make(map[string]int)}
	var faults []error
	for i, d := range c.defs {
		e := look(d)
		c.names = append(c.names, e.name)
		if e.built {
			c.built = append(c.built, e.name)
		}
		for _, name := range append([]string{e.name}, e.aliases...) {
			other, taken := c.byName[name]
			switch {
			case name == "":
				faults = append(faults, fmt.Errorf("definition %d has an empty name", i))
			case taken:
				faults = append(faults, fmt.Errorf("%ss %s and %s share the name %q", kind, c.names[other], e.name, name))
			default:
				c.byName[name] = i
			}
		}
		faults = append(faults, checkSettings(kind, e)...)
	}
	return c, errors.Join(faults...)
}

// checkSettings finds what is wrong with a definition's own settings.
func checkSettings(kind string, e entry) []error {
	var faults []error
	for _, s := range e.settings {
		if s.Default == "" {
			continue
		}
		if _, err := s.parse(s.Default); err != nil {
			faults = append(faults, fmt.Errorf("%s %s: default of %w", kind, e.name, err))
		}
	}
	return faults
}

// Lookup returns the definition of a name or alias.
func (c catalogue[D]) Lookup(name string) (found D, err error) {
	if i, ok := c.byName[name]; ok {
		return c.defs[i], nil
	}
	names := c.Names()
	for alias := range c.byName {
		names = append(names, alias)
	}
	if near := Nearest(name, names); near != "" {
		return found, fmt.Errorf("unknown %s %q, did you mean %q?", c.kind, name, near)
	}
	return found, fmt.Errorf("unknown %s %q, known are %s", c.kind, name, strings.Join(c.built, ", "))
}

// Names returns all names, in the order of registration, without aliases.
func (c catalogue[D]) Names() []string { return slices.Clone(c.names) }

// Definitions returns all definitions in the order of registration.
func (c catalogue[D]) Definitions() []D { return slices.Clone(c.defs) }

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
