package exchange

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// values reads the values of one parameter after the other, so that each fault has its own place.
type values struct {
	params []searchspace.Parameter
	alone  []*searchspace.Space // of each parameter by itself, always active
	parent []int                // place of the parameter that decides whether this one is active; -1: none
	when   [][]string           // values of the parent
}

func newValues(s *experiment.Spec) (*values, error) {
	space, err := s.Space()
	if err != nil {
		return nil, err
	}
	v := &values{params: space.Parameters()}
	for i := range v.params {
		p := v.params[i]
		p.ActiveWhen = nil
		alone, err := searchspace.New([]searchspace.Parameter{p})
		if err != nil {
			return nil, err
		}
		v.alone = append(v.alone, alone)
	}
	for i := range v.params {
		parent, when := -1, []string(nil)
		if c := v.params[i].ActiveWhen; c != nil {
			parent, _ = space.Index(c.Parent)
			for _, text := range c.Values {
				text, _ = v.read(parent, text) // checked with the space
				when = append(when, text)
			}
		}
		v.parent, v.when = append(v.parent, parent), append(v.when, when)
	}
	return v, nil
}

// read returns a value as a trial gets it. Of a list it finds a number in another spelling as well, which
// data frames write: 32.0 for 32.
func (v *values) read(i int, text string) (string, error) {
	p := &v.params[i]
	if p.Kind != searchspace.Categorical {
		text = strings.TrimSpace(text)
	}
	if p.Values != nil && !slices.Contains(p.Values, text) {
		for _, value := range p.Values {
			if sameNumber(value, text) {
				text = value
				break
			}
		}
	}
	point, err := v.alone[i].Parse(searchspace.Assignment{{Name: p.Name, Value: text}})
	if err != nil {
		detail := strings.TrimPrefix(err.Error(), fmt.Sprintf("parameter %q: ", p.Name))
		return "", errors.New(strings.TrimPrefix(detail, fmt.Sprintf("parameters[0] (%s): ", p.Name)))
	}
	return v.alone[i].Format(point)[0].Value, nil
}

// sameNumber reports whether two texts are the same number in decimal.
func sameNumber(a, b string) bool {
	x, errX := experiment.ParseNumber(a)
	y, errY := experiment.ParseNumber(b)
	return errX == nil && errY == nil && x == y
}

// active reports whether parameter i takes part where the parameters have the given texts, "" without one.
func (v *values) active(i int, given []*string) bool {
	p := v.parent[i]
	return p < 0 || v.active(p, given) && given[p] != nil && slices.Contains(v.when[i], *given[p])
}

// assignment makes an assignment of the values that were read; fault is told what is wrong.
// A value of a parameter that is not active is left out.
func (v *values) assignment(given []*string, fault func(i int, detail string)) (a searchspace.Assignment) {
	read := make([]*string, len(given))
	for i, text := range given {
		if text == nil {
			continue
		}
		value, err := v.read(i, *text)
		if err != nil {
			fault(i, err.Error())
			value = *text
		}
		read[i] = &value
	}
	for i, text := range read {
		active := v.active(i, read)
		if active && text == nil && slices.Contains(v.params[i].Values, "") {
			text = new("") // an empty cell
		}
		switch {
		case active && text == nil:
			fault(i, v.missing(i, read))
		case active:
			a = append(a, experiment.Pair{Name: v.params[i].Name, Value: *text})
		}
	}
	return a
}

// missing says why a parameter needs a value.
func (v *values) missing(i int, given []*string) string {
	if p := v.parent[i]; p >= 0 && given[p] != nil {
		return fmt.Sprintf("it has no value, and is active while %s is %s", v.params[p].Name, *given[p])
	}
	return "it has no value"
}
