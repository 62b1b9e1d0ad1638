package host

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// maxText is the most bytes of a text for people.
const maxText = 4 << 10

// name matches what algorithms and settings may be called.
var name = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$`)

// readDefinitions reads what a plugin offers, without functions. Every fault is reported.
func readDefinitions(reply *pluginv1.ListAlgorithmsResponse) ([]algorithms.Definition, error) {
	var f faults
	var defs []algorithms.Definition
	for i, a := range reply.GetAlgorithms() {
		f.at = fmt.Sprintf("algorithms[%d] (%s)", i, clean(a.GetName()))
		defs = append(defs, f.definition(a))
	}
	if len(defs) == 0 {
		f.list = append(f.list, errors.New("there are none"))
	}
	if len(f.list) == 0 { // names can be shown, and ranges compared
		_, err := algorithms.NewRegistry(defs...)
		return defs, err
	}
	return nil, errors.Join(f.list...)
}

// faults collects what is wrong with definitions.
type faults struct {
	at   string // what is looked at
	list []error
}

func (f *faults) add(format string, args ...any) {
	f.list = append(f.list, fmt.Errorf("%s: %w", f.at, fmt.Errorf(format, args...)))
}

func (f *faults) definition(a *pluginv1.Algorithm) algorithms.Definition {
	for _, n := range append([]string{a.GetName()}, a.GetAliases()...) {
		f.name(n)
	}
	f.text("summary", a.GetSummary())
	f.text("reference", a.GetReference())
	if a.GetSummary() == "" {
		f.add("there is no summary")
	}
	d := algorithms.Definition{
		Name: a.GetName(), Aliases: a.GetAliases(), Summary: a.GetSummary(), Reference: a.GetReference(),
		Curves: a.GetCurves(), Seedless: a.GetSeedless(),
		Objectives: a.GetObjectives(), Constraints: a.GetConstraints(), Priors: a.GetPriors(),
	}
	for _, k := range a.GetKinds() {
		if k <= pluginv1.Kind_KIND_UNSPECIFIED || k > pluginv1.Kind_KIND_CATEGORICAL {
			f.add("kind %d of parameter is not known", k)
		}
		d.Kinds = append(d.Kinds, searchspace.Kind(k))
	}
	at := f.at
	for i, s := range a.GetSettings() {
		f.at = fmt.Sprintf("%s: settings[%d] (%s)", at, i, clean(s.GetName()))
		if slices.ContainsFunc(d.Settings, func(o algorithms.Setting) bool { return o.Name == s.GetName() && o.Dialect == s.GetDialect() }) {
			f.add("the name is taken")
		}
		d.Settings = append(d.Settings, f.setting(s))
	}
	f.at = at
	return d
}

func (f *faults) setting(s *pluginv1.Setting) algorithms.Setting {
	f.name(s.GetName())
	if s.GetDialect() != "" {
		f.name(s.GetDialect())
	}
	f.text("help", s.GetHelp())
	f.text("default", s.GetDefaultValue())
	for _, c := range s.GetChoices() {
		f.text("choice", c)
	}
	if t := s.GetType(); t <= pluginv1.Setting_TYPE_UNSPECIFIED || t > pluginv1.Setting_TYPE_STRING {
		f.add("type %d is not known", t)
	}
	if len(s.GetChoices()) > 0 && s.GetType() != pluginv1.Setting_TYPE_STRING {
		f.add("only a string has choices")
	}
	if low, high := s.GetMin(), s.GetMax(); !(low <= high) || math.IsInf(low, 0) || math.IsInf(high, 0) {
		f.add("the range from %v to %v is none", low, high)
	}
	return algorithms.Setting{
		Name: s.GetName(), Type: algorithms.SettingType(s.GetType()), Help: s.GetHelp(), Default: s.GetDefaultValue(), Required: s.GetRequired(),
		Min: s.GetMin(), Max: s.GetMax(), OpenMin: s.GetOpenMin(), OpenMax: s.GetOpenMax(), Choices: s.GetChoices(), Dialect: s.GetDialect(),
	}
}

func (f *faults) name(n string) {
	if !name.MatchString(n) {
		f.add("%q is no name: letters, digits, dots, dashes and underscores, at most 63", clean(n))
	}
}

func (f *faults) text(what, s string) {
	if s != clean(s) {
		f.add("%s is longer than %d bytes or has control characters", what, maxText)
	}
}

// readAdvice reads advice about known settings.
func readAdvice(reply *pluginv1.AdviseResponse, known []algorithms.Setting) (out []algorithms.Advice, err error) {
	for _, a := range reply.GetAdvice() {
		about := a.GetSetting()
		switch {
		case about != "" && !slices.ContainsFunc(known, func(s algorithms.Setting) bool { return s.Name == about }):
			return nil, fmt.Errorf("it is about %q, which is no setting", clean(about))
		case a.GetText() == "" || a.GetText() != clean(a.GetText()):
			return nil, fmt.Errorf("its text about %q is empty, longer than %d bytes or has control characters", about, maxText)
		}
		out = append(out, algorithms.Advice{Setting: about, Text: a.GetText()})
	}
	return out, nil
}

// clean returns a text of a plugin as it may be shown: bounded, and without what drives a terminal.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return utf8.RuneError
		}
		return r
	}, s)
	if len(s) <= maxText {
		return s
	}
	const ellipsis = "..."
	return strings.ToValidUTF8(s[:maxText-len(ellipsis)], "") + ellipsis
}
