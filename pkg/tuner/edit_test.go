package tuner

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDifferences: what is shown is what differs, however long what is around it.
func TestDifferences(t *testing.T) {
	long := strings.Repeat("a", 100)
	for name, test := range map[string]struct{ a, b, want any }{
		"equal":        {[]any{"x", 1}, []any{"x", 1}, []string(nil)},
		"element":      {[]any{"python3", "train.py", "--a"}, []any{"python3", "train.py", "--b"}, []string{`p[2] was "--a", now "--b"`}},
		"added last":   {[]any{"x"}, []any{"x", "y"}, []string{`p[1] was absent, now "y"`}},
		"put in":       {[]any{"x", "y", "z"}, []any{"w", "x", "y", "z"}, []string{`p[0] was "x", now "w"`}},
		"left out":     {[]any{"x", "y", "z"}, []any{"x", "z"}, []string{`p[1] was "y", now "z"`}},
		"emptied":      {[]any{"x"}, []any{}, []string{`p[0] was "x", now absent`}},
		"field":        {map[string]any{"l": []any{map[string]any{"v": 1}}}, map[string]any{"l": []any{map[string]any{"v": 2}}}, []string{`p.l[0].v was 1, now 2`}},
		"end of long":  {long + "1", long + "2", []string{`p was ...` + strings.Repeat("a", 48) + `1", now ...` + strings.Repeat("a", 48) + `2"`}},
		"start":        {"1" + long, "2" + long, []string{`p was "1` + strings.Repeat("a", 48) + `..., now "2` + strings.Repeat("a", 48) + `...`}},
		"middle":       {long + "1" + long, long + "2" + long, []string{`p was ...` + strings.Repeat("a", 15) + "1" + strings.Repeat("a", 34) + `..., now ...` + strings.Repeat("a", 15) + "2" + strings.Repeat("a", 34) + "..."}},
		"not a letter": {strings.Repeat("ä", 70) + "1", strings.Repeat("ä", 70) + "2", []string{`p was ...` + strings.Repeat("ä", 48) + `1", now ...` + strings.Repeat("ä", 48) + `2"`}},
	} {
		if diff := cmp.Diff(differences("p", test.a, test.b), test.want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", name, diff)
		}
	}
}
