package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

func TestKeysOfPaths(t *testing.T) {
	type inner struct {
		Number int               `json:"number"`
		Again  []*inner          `json:"again,omitempty"`
		Any    map[string]number `json:"any"`
	}
	type outer struct {
		*inner
		List []inner `json:"list"`
	}
	values, api := shapeOf[outer](), messageShape(&tunedv1.Experiment{})
	for _, tt := range []struct {
		template string
		of       *shape
		want     string // in the error; "" for none
	}{
		{"{.number}", values, ""},
		{"number", values, "is no path"},
		{".number", values, ""},
		{"{@}", values, ""},
		{"text only", values, "is no path"},
		{"{.numbr}", values, `there is no key "numbr", did you mean number`},
		{"{.zzzz}", values, `there is no key "zzzz", but again, any, list, number`},
		{"{.number}{.numbr}", values, "numbr"},
		{"{.number.x}", values, `there is no key "x", but a single value`},
		{"{.list.number}", values, `there is no key "number", but a list: [*] is each of it, [0] the first`},
		{"{.list[*].number}", values, ""},
		{"{.list[0].numbr}", values, "did you mean number"},
		{"{.list[-1:].again[*].again[0].number}", values, ""},
		{"{.list[-1:].again[*].again[0].numbr}", values, "did you mean number"},
		{"{.any.whatever}", values, ""},
		{`{.any['what\.ever']}`, values, ""},
		{"{.any.whatever.more}", values, "a single value"},
		{"{['number','lst']}", values, "did you mean list"},
		{"{.list[*]['number','again']}", values, ""},
		{"{.list.*.number}", values, ""},
		{"{.list.*.numbr}", values, "did you mean number"},
		{"{..number}", values, ""},
		{"{..anything}", values, ""}, // of the map
		{"{..platform}", shapeOf[build](), ""},
		{"{..platfrm}", shapeOf[build](), "did you mean platform"},
		{"{.list[?(@.number==3)].again}", values, ""},
		{"{.list[?(@.numbr==3)].again}", values, "did you mean number"},
		{"{.list[?(@.number==3)].agan}", values, "did you mean again"},
		{"{range .list[*]}{.number}{\"\\n\"}{end}{.list}", values, ""},
		{"{range .list[*]}{.list}{end}", values, `there is no key "list"`},
		{"{range .list[*]}{.number}{end}{.again}{.nmber}", values, "did you mean number"},
		{"{range .list[*]}{range .again[*]}{.number}{end}{.any.x}{end}", values, ""},
		{"{.best.metrics[0].value} {.counts.earlyStopped}", api, ""},
		{"{.best.metrics[0].valu}", api, "did you mean value"},
		{"{.counts.early_stopped}", api, "did you mean earlyStopped"},
		{"{.object.spec.anything[2].else}", api, ""},
		{"{.created}", api, ""},
		{"{.created.seconds}", api, "a single value"},
		{"{.budget.maxDuration} {.front[0]} {.objectives[*].goal}", api, ""},
	} {
		err := checkPath(tt.template, tt.of)
		if got := fmt.Sprint(err); (err == nil) != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %s, want %q", tt.template, got, tt.want)
		}
	}
}

// TestEachKeyIsKnown: whatever -o json prints, a jsonpath may name.
func TestEachKeyIsKnown(t *testing.T) {
	dir := writeExperiment(t)
	finish(t, dir)
	for _, args := range [][]string{
		{"get"},
		{"get", "work"},
		{"describe", "work"},
		{"describe", "work", "1"},
		{"trials", "work"},
		{"best", "work"},
		{"doctor"},
		{"store", "info"},
		{"version"},
	} {
		asked := args
		if args[0] != "version" {
			asked = append(append([]string{}, args...), "--data-dir", "d")
		}
		out, _ := call(t, dir, exitOK, append(asked, "-o", "json")...)
		var tree any
		if err := json.Unmarshal([]byte(out), &tree); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		paths := pathsIn("", tree)
		if len(paths) < 3 {
			t.Errorf("%q: got %q, want more keys", args, paths)
		}
		for _, path := range paths {
			c, rest, err := (&app{getenv: noEnv}).root().Find(args)
			if err == nil {
				err = c.ParseFlags(append(rest, "-o", "jsonpath={"+path+"}"))
			}
			if err == nil {
				err = c.PreRunE(c, rest)
			}
			if err != nil {
				t.Errorf("%q: %v", args, err)
			}
		}
	}
}

// pathsIn returns a path to each key of a value in JSON.
func pathsIn(at string, value any) (out []string) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			path := at + "['" + strings.ReplaceAll(key, ".", `\.`) + "']"
			out = append(append(out, path), pathsIn(path, inner)...)
		}
	case []any:
		for _, inner := range v {
			out = append(out, pathsIn(at+"[0]", inner)...)
		}
	}
	return out
}
