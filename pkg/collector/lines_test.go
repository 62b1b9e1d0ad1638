package collector

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	tests := []struct {
		name   string
		writes []string
		want   []string
	}{
		{"nothing", nil, nil},
		{"line feeds", []string{"a\nb\n"}, []string{"a", "b"}},
		{"no end", []string{"a\nb"}, []string{"a", "b"}},
		{"carriage returns", []string{"a\rb\r"}, []string{"a", "b"}},
		{"both", []string{"a\r\nb\r\n"}, []string{"a", "b"}},
		{"both, apart", []string{"a\r", "\nb"}, []string{"a", "b"}},
		{"return, then an empty line", []string{"a\r", "\n", "\n"}, []string{"a", ""}},
		{"line feed, then return", []string{"a\n\rb"}, []string{"a", "", "b"}},
		{"byte by byte", []string{"a", "b", "\n", "", "c"}, []string{"ab", "c"}},
		{"empty lines", []string{"\n\n"}, []string{"", ""}},
		{"NUL and invalid UTF-8", []string{"\x00\xff\n"}, []string{"\x00\xff"}},
		{"long", []string{strings.Repeat("x", maxLine-1), "yzz", "z\nb"}, []string{strings.Repeat("x", maxLine-1) + "y", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(splitLines(t, tt.writes...), tt.want); diff != "" {
				t.Errorf("got - want +:\n%s", diff)
			}
		})
	}
}

func splitLines(t *testing.T, writes ...string) []string {
	t.Helper()
	var got []string
	l := NewLines(func(line string) { got = append(got, line) })
	for _, w := range writes {
		if n, err := l.Write([]byte(w)); n != len(w) || err != nil {
			t.Fatalf("write: got %d, %v, want %d, nil", n, err, len(w))
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return got
}

// However a stream is cut into writes, the lines are the same.
func FuzzLines(f *testing.F) {
	f.Add("a\r\nb\rc\n\nd", 3)
	f.Add("\r\r\n\n", 1)
	f.Fuzz(func(t *testing.T, stream string, at int) {
		whole := splitLines(t, stream)
		if at %= len(stream) + 1; at < 0 {
			at = -at
		}
		if diff := cmp.Diff(splitLines(t, stream[:at], stream[at:]), whole); diff != "" {
			t.Errorf("cut at %d: got - want +:\n%s", at, diff)
		}
		for _, line := range whole {
			if len(line) > maxLine || strings.ContainsAny(line, "\r\n") {
				t.Errorf("got the line %q", line)
			}
		}
	})
}
