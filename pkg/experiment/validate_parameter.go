package experiment

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	parameterTypes = []string{"double", "int", "discrete", "categorical"}
	distributions  = []string{"uniform", "logUniform", "normal", "logNormal"}
)

// space checks the parameters, first by Katib's rules, then as the numbers they stand for.
func (v *validator) space() {
	s := &v.e.Spec
	switch {
	case len(s.Parameters) == 0 && s.NasConfig == nil:
		v.add("spec", Required, "spec.parameters or spec.nasConfig must be specified")
	case len(s.Parameters) > 0 && s.NasConfig != nil:
		v.add("spec", Invalid, "only one of spec.parameters and spec.nasConfig can be specified")
	}
	for i := range s.Parameters {
		v.parameter(&s.Parameters[i], fmt.Sprintf("spec.parameters[%d]", i))
	}
	if v.o.Katib || len(s.Parameters) == 0 {
		return
	}
	v.parameterNames()
	_, faults := s.space()
	v.addUncovered(faults)
}

func (v *validator) parameter(p *ParameterSpec, path string) {
	kind, f := p.ParameterType, &p.FeasibleSpace
	if !slices.Contains(parameterTypes, kind) && !(v.o.Katib && kind == "unknown") {
		v.addValue(path+".parameterType", "want "+strings.Join(parameterTypes, ", "), kind, parameterTypes...)
	}
	if d := f.Distribution; d != "" && !slices.Contains(distributions, d) && !(v.o.Katib && d == "unknown") {
		v.addValue(path+".feasibleSpace.distribution", "want "+strings.Join(distributions, ", "), d, distributions...)
	}
	if f.Distribution == "" && f.Min == "" && f.Max == "" && f.Step == "" && len(f.List) == 0 {
		v.add(path+".feasibleSpace", Required, "must be specified")
		return
	}
	switch kind {
	case "double", "int":
		if len(f.List) > 0 {
			v.add(path+".feasibleSpace.list", Invalid, "is not for parameters of type "+kind+", which have min and max")
		}
		if f.Min == "" || f.Max == "" {
			v.add(path+".feasibleSpace.max", Required, "min and max must both be specified for a parameter of type "+kind)
		}
	case "categorical", "discrete":
		if f.Min != "" || f.Max != "" || f.Step != "" {
			v.add(path+".feasibleSpace", Invalid, "min, max and step are not for parameters of type "+kind+", which have a list")
		}
	}
}

// parameterName admits what can stand in a command's flag, a variable's name and a column's title.
var parameterName = regexp.MustCompile(`^[\pL\pN_][-./:@\pL\pN_]{0,127}$`)

// ParameterName reports whether a parameter may have a name.
func ParameterName(name string) bool { return parameterName.MatchString(name) }

func (v *validator) parameterNames() {
	for i, p := range v.e.Spec.Parameters {
		if !ParameterName(p.Name) {
			v.addValue(fmt.Sprintf("spec.parameters[%d].name", i),
				"want 1 to 128 letters, digits and _ - . / : @, with a letter, digit or _ first", p.Name)
		}
	}
}
