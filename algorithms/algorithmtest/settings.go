package algorithmtest

import (
	"maps"
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

// checkAdvice wants advice that is the same when asked again and leaves the values as they are, about a
// setting there is or a budget, in words; and none against the defaults, unless the budget is small.
func checkAdvice(s *subject) {
	if s.def.Advise == nil {
		return
	}
	for _, p := range s.problems() {
		for _, a := range s.advice(p.Problem, s.required("")) {
			s.Errorf("%s: advice against the defaults: %s: %s", p.name, a.Setting, a.Text)
		}
		for _, p.MaxTrials = range []int{0, 1, 3, 1000} {
			for _, setting := range s.def.Settings {
				for _, text := range append([]string{"0", "1", "1000", "true", "false"}, setting.Choices...) {
					s.advice(p.Problem, append(s.required(setting.Name), algorithms.RawSetting{Name: setting.Name, Value: text}))
				}
			}
		}
	}
}

// required returns the settings that the algorithm requires, but for one.
func (s *subject) required(but string) []algorithms.RawSetting {
	return slices.DeleteFunc(slices.Clone(s.settings), func(r algorithms.RawSetting) bool {
		return r.Name == but || !slices.ContainsFunc(s.def.Settings, func(a algorithms.Setting) bool { return a.Name == r.Name && a.Required })
	})
}

// advice checks and returns the advice about settings; none when they are refused.
func (s *subject) advice(p algorithms.Problem, raw []algorithms.RawSetting) []algorithms.Advice {
	s.Helper()
	values, err := algorithms.Parse(s.def, raw, "")
	if err != nil || algorithms.Check(s.def, p, values) != nil {
		return nil
	}
	before := maps.Clone(values)
	advice := s.def.Advise(p, values)
	switch {
	case !maps.Equal(values, before):
		s.Errorf("%v: Advise changes the values", raw)
	case !slices.Equal(advice, s.def.Advise(p, values)):
		s.Errorf("%v: other advice when asked again", raw)
	}
	for _, a := range advice {
		known := slices.ContainsFunc(s.def.Settings, func(x algorithms.Setting) bool { return x.Name == a.Setting })
		if a.Text == "" || !known && (a.Setting != "" || p.MaxTrials == 0) {
			s.Errorf("%v: advice %q is without words, or about %q, which is neither a setting nor a budget", raw, a.Text, a.Setting)
		}
	}
	return advice
}
