package algorithms

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// RawSetting is a setting as a user wrote it.
type RawSetting struct {
	Name  string
	Value string
}

// Parse reads the settings of an algorithm and fills in defaults. With a dialect, the name of a
// Katib service, only the settings which that service knows are known; "" means all. A setting
// without a value and without a default is absent from the Values. All faults are reported at
// once: unknown and repeated names, required settings that are missing, values of another type,
// out of range or not among the choices. A dialect is as tolerant as its service: of repeated names
// the last one counts, numbers are Python's, and some services ignore unknown names.
func Parse(def Definition, raw []RawSetting, dialect string) (Values, error) {
	return ParseSettings("algorithm "+def.Name, def.Settings, raw, dialect)
}

// ParsePruner reads the settings of an early-stopping rule as Parse does those of an algorithm.
func ParsePruner(def PrunerDefinition, raw []RawSetting) (Values, error) {
	return ParseSettings("early stopping rule "+def.Name, def.Settings, raw, "")
}

// ParseSettings is Parse for settings alone; of names in messages whose they are.
func ParseSettings(of string, settings []Setting, raw []RawSetting, dialect string) (Values, error) {
	known := make([]Setting, 0, len(settings))
	for _, s := range settings {
		if dialect == "" || s.Dialect == "" || s.Dialect == dialect {
			known = append(known, s)
		}
	}
	values := make(Values, len(known))
	var faults []error
	for _, r := range raw {
		if slices.Contains(ignorant, dialect) && index(settings, r.Name) < 0 {
			continue
		}
		if err := values.set(known, r, dialect); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", of, err))
		}
	}
	for _, s := range known {
		_, set := values[s.Name]
		switch {
		case set:
		case s.Required && (s.Dialect == "" || s.Dialect == dialect) && !slices.ContainsFunc(raw, func(r RawSetting) bool { return r.Name == s.Name }):
			faults = append(faults, fmt.Errorf("%s: setting %s is required: %s", of, s.Name, s.Help))
		case s.Default != "":
			values[s.Name], _ = s.parse(s.Default) // checked by NewRegistry
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return values, nil
}

// ignorant are the services that do not look for unknown settings.
var ignorant = []string{"hyperband", "pbt", "goptuna"}

func index(settings []Setting, name string) int {
	return slices.IndexFunc(settings, func(s Setting) bool { return s.Name == name })
}

// set reads one setting.
func (v Values) set(known []Setting, r RawSetting, dialect string) error {
	i := index(known, r.Name)
	if i < 0 {
		return unknownSetting(known, r.Name)
	}
	if _, twice := v[r.Name]; twice && dialect == "" {
		return fmt.Errorf("setting %s is given twice", r.Name)
	}
	text := r.Value
	if dialect != "" && dialect != "goptuna" {
		text = known[i].fromPython(text)
	}
	value, err := known[i].parse(text)
	if err != nil {
		return err
	}
	v[r.Name] = value
	return nil
}

func unknownSetting(known []Setting, name string) error {
	if len(known) == 0 {
		return fmt.Errorf("unknown setting %q, there are none", name)
	}
	names := make([]string, len(known))
	for i, s := range known {
		names[i] = s.Name
	}
	if near := Nearest(name, names); near != "" {
		return fmt.Errorf("unknown setting %q, did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown setting %q, known are %s", name, strings.Join(names, ", "))
}

// fromPython returns the text of a number as parse takes it: Python's int and float accept spaces
// around it and single underscores between digits. A number beyond what is held becomes the last
// that is.
func (s Setting) fromPython(text string) string {
	plain := strings.TrimSpace(text)
	for i := len(plain) - 2; i > 0; i-- {
		if plain[i] == '_' && isDigit(plain[i-1]) && isDigit(plain[i+1]) {
			plain = plain[:i] + plain[i+1:]
		}
	}
	switch s.Type {
	case IntSetting:
		if v, err := strconv.ParseInt(plain, 10, 64); errors.Is(err, strconv.ErrRange) {
			return strconv.FormatInt(v, 10)
		}
		return plain
	case FloatSetting:
		if v, _ := strconv.ParseFloat(plain, 64); math.IsInf(v, 0) {
			return formatNumber(math.Copysign(Unbounded, v))
		}
		return plain
	}
	return text
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// parse reads the text of a value.
func (s Setting) parse(text string) (any, error) {
	switch s.Type {
	case IntSetting:
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("setting %s must be a whole number, got %q", s.Name, text)
		}
		return v, s.checkRange(float64(v), text)
	case FloatSetting:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || strings.ContainsAny(text, "xX_") {
			return nil, fmt.Errorf("setting %s must be a finite number, got %q", s.Name, text)
		}
		return v, s.checkRange(v, text)
	case BoolSetting:
		switch strings.ToLower(text) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("setting %s must be true or false, got %q", s.Name, text)
	case StringSetting:
		if len(s.Choices) > 0 && !slices.Contains(s.Choices, text) {
			return nil, fmt.Errorf("setting %s must be one of %s, got %q", s.Name, strings.Join(s.Choices, ", "), text)
		}
		return text, nil
	}
	return nil, fmt.Errorf("setting %s has no type", s.Name)
}

// checkRange compares a number with the range of the setting.
func (s Setting) checkRange(v float64, text string) error {
	if s.Min == 0 && s.Max == 0 {
		return nil
	}
	if v < s.Min || s.OpenMin && v == s.Min || v > s.Max || s.OpenMax && v == s.Max {
		return fmt.Errorf("setting %s must be %s, got %s", s.Name, s.rangeText(), text)
	}
	return nil
}

func (s Setting) rangeText() string {
	above := "at least "
	if s.OpenMin {
		above = "above "
	}
	text := above + formatNumber(s.Min)
	if s.Max == Unbounded {
		return text
	}
	below := " and at most "
	if s.OpenMax {
		below = " and below "
	}
	return text + below + formatNumber(s.Max)
}

func formatNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// Int returns an integer setting, or otherwise if it has no value.
func (v Values) Int(name string, otherwise int64) int64 { return valueOr(v, name, otherwise) }

// Float returns a number setting, or otherwise if it has no value.
func (v Values) Float(name string, otherwise float64) float64 { return valueOr(v, name, otherwise) }

// Text returns a text setting, or otherwise if it has no value.
func (v Values) Text(name, otherwise string) string { return valueOr(v, name, otherwise) }

func valueOr[T any](v Values, name string, otherwise T) T {
	if x, ok := v[name].(T); ok {
		return x
	}
	return otherwise
}
