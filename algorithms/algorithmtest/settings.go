package algorithmtest

import (
	"slices"
	"strconv"

	"github.com/tuned-hpo/tuned/algorithms"
)

// checkDefinition wants a definition that a registry takes and a user can read.
func checkDefinition(s *subject) {
	if _, err := algorithms.NewRegistry(s.def); err != nil {
		s.Errorf("%v", err)
	}
	if s.def.Summary == "" {
		s.Errorf("the definition has no summary")
	}
	for i, a := range s.def.Settings {
		if a.Help == "" {
			s.Errorf("setting %s has no help", a.Name)
		}
		if slices.ContainsFunc(s.def.Settings[:i], func(b algorithms.Setting) bool { return a.Name == b.Name && a.Dialect == b.Dialect }) {
			s.Errorf("setting %s is listed twice", a.Name)
		}
	}
}

// checkSettings wants values of another type, out of range and not among the choices refused, and
// names that are not known.
func checkSettings(s *subject) {
	s.refused("no such setting", "1")
	for _, a := range s.def.Settings {
		switch a.Type {
		case algorithms.IntSetting:
			s.refused(a.Name, "1.5")
			s.refused(a.Name, "")
		case algorithms.FloatSetting:
			s.refused(a.Name, "nan")
			s.refused(a.Name, "many")
		case algorithms.BoolSetting:
			s.refused(a.Name, "maybe")
		case algorithms.StringSetting:
			if len(a.Choices) > 0 {
				s.refused(a.Name, "none of the choices")
			}
		default:
			s.Errorf("setting %s has no type", a.Name)
		}
		if numeric := a.Type == algorithms.IntSetting || a.Type == algorithms.FloatSetting; numeric && (a.Min != 0 || a.Max != 0) {
			s.refused(a.Name, strconv.FormatFloat(a.Min-1, 'f', -1, 64))
		}
	}
}

func (s *subject) refused(name, value string) {
	s.Helper()
	others := slices.DeleteFunc(slices.Clone(s.settings), func(r algorithms.RawSetting) bool { return r.Name == name })
	if _, err := algorithms.Parse(s.def, append(others, algorithms.RawSetting{Name: name, Value: value}), ""); err == nil {
		s.Errorf("setting %s takes %q", name, value)
	}
}
