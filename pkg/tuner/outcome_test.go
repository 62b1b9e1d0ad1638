package tuner

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestShort: what is kept of a message is bounded, says so, and is kept as it is the next time.
func TestShort(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "whole": strings.Repeat("x", longestMessage), "long": "begin" + strings.Repeat("x", 1<<20) + "end",
		"runes": strings.Repeat("\u20ac", longestMessage),
	} {
		got := short(text)
		cut := len(text) > longestMessage
		if len(got) > longestMessage || !utf8.ValidString(got) || short(got) != got || cut != strings.Contains(got, "bytes left out") || !cut && got != text {
			t.Errorf("%s: got %d bytes, %.20q...%q", name, len(got), got, got[max(0, len(got)-9):])
		}
	}
}
