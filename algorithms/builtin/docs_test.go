package builtin

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/internal/golden"
)

// TestDocumentedSettings wants docs/algorithms.md to hold, between its marks, the list of algorithms
// and for each its reference and settings, as they are in the registry.
func TestDocumentedSettings(t *testing.T) {
	const file = "../../docs/algorithms.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]string{"algorithms": listOf(Registry().Definitions())}
	for _, d := range Registry().Definitions() {
		tables[d.Name] = settingsOf(d.Settings, d.Reference)
	}
	golden.Compare(t, file, filled(t, file, string(text), tables))
}

// TestDocumentedRules wants docs/early-stopping.md to hold the list of early-stopping rules and the settings of each.
func TestDocumentedRules(t *testing.T) {
	const file = "../../docs/early-stopping.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list, settings strings.Builder
	list.WriteString("| name | what it does |\n|---|---|\n")
	for _, d := range Pruners().Definitions() {
		fmt.Fprintf(&list, "| `%s` | %s |\n", strings.Join(append([]string{d.Name}, d.Aliases...), "`, `"), d.Summary)
		fmt.Fprintf(&settings, "## %s\n\n%s\n", d.Name, settingsOf(d.Settings, d.Reference))
	}
	golden.Compare(t, file, filled(t, file, string(text), map[string]string{"pruners": list.String(), "rules": settings.String()}))
}

// filled returns a page with tables between their marks.
func filled(t *testing.T, file, page string, tables map[string]string) string {
	t.Helper()
	for name, table := range tables {
		begin := "<!-- " + name + " -->\n"
		before, rest, ok := strings.Cut(page, begin)
		_, after, closed := strings.Cut(rest, "<!-- end -->\n")
		if !ok || !closed {
			t.Fatalf("%s has no marks %q and \"<!-- end -->\"", file, strings.TrimSpace(begin))
		}
		page = before + begin + table + "<!-- end -->\n" + after
	}
	return page
}

// listOf is a table of all algorithms.
func listOf(defs []algorithms.Definition) string {
	yes := map[bool]string{true: "yes", false: "-"}
	var b strings.Builder
	b.WriteString("| name | what it is | built | several objectives | constraints | warm start | model |\n|---|---|---|---|---|---|---|\n")
	for _, d := range defs {
		built := d.New != nil
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s |\n", strings.Join(append([]string{d.Name}, d.Aliases...), "`, `"), d.Summary,
			yes[built], yes[built && d.Objectives], yes[built && d.Constraints], yes[built && d.Priors], yes[d.Insight != nil])
	}
	return b.String()
}

// settingsOf is a table of settings, and the reference of what has them.
func settingsOf(all []algorithms.Setting, reference string) string {
	var b strings.Builder
	b.WriteString("| setting | type | default | values | dialect | meaning |\n|---|---|---|---|---|---|\n")
	for _, s := range all {
		value := "-"
		if s.Default != "" {
			value = "`" + s.Default + "`"
		}
		help := s.Help
		if s.Required {
			value = "required"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", s.Name, typeNames[s.Type], value, valuesOf(s), orDash(s.Dialect), help)
	}
	if reference != "" {
		fmt.Fprintf(&b, "\nReference: %s.\n", reference)
	}
	return b.String()
}

var typeNames = map[algorithms.SettingType]string{
	algorithms.IntSetting: "int", algorithms.FloatSetting: "number", algorithms.BoolSetting: "bool", algorithms.StringSetting: "text",
}

// valuesOf says which values a setting takes.
func valuesOf(s algorithms.Setting) string {
	switch {
	case s.Type == algorithms.BoolSetting:
		return "`true`, `false`"
	case len(s.Choices) > 0:
		return "`" + strings.Join(s.Choices, "`, `") + "`"
	case s.Type == algorithms.StringSetting, s.Min == 0 && s.Max == 0:
		return "any"
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	text := "at least "
	if s.OpenMin {
		text = "above "
	}
	text += number(s.Min)
	switch {
	case s.Max == algorithms.Unbounded:
		return text
	case s.OpenMax:
		return text + ", below " + number(s.Max)
	}
	return text + ", at most " + number(s.Max)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
