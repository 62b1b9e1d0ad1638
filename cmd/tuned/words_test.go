package main

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSplitWords(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
		err        bool
	}{
		{"plain", "python3  train.py", []string{"python3", "train.py"}, false},
		{"quotes keep spaces", `"my program" -x 'a b'`, []string{"my program", "-x", "a b"}, false},
		{"quotes within a word", `--name="a b"c`, []string{"--name=a bc"}, false},
		{"empty word", `a ""`, []string{"a", ""}, false},
		{"the other quote is text", `"it's"`, []string{"it's"}, false},
		{"no variables", `$HOME \n`, []string{"$HOME", `\n`}, false},
		{"nothing", "  ", nil, false},
		{"open quote", `"a b`, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := splitWords(tt.text)
			if !slices.Equal(got, tt.want) || (err != nil) != tt.err {
				t.Errorf("splitWords(%q) = %q, %v, want %q, error %v", tt.text, got, err, tt.want, tt.err)
			}
		})
	}
}

func TestSplitWordsUndoesQuoteWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// A single quote is written with a backslash, which splitWords does not read.
		argv := rapid.SliceOf(rapid.String().Filter(func(s string) bool { return !strings.Contains(s, "'") })).Draw(t, "argv")
		got, err := splitWords(quoteWords(argv))
		if err != nil || !slices.Equal(got, argv) {
			t.Errorf("splitWords(quoteWords(%q)) = %q, %v", argv, got, err)
		}
	})
}
