package logline

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/rs/zerolog"
)

func TestLogLines(t *testing.T) {
	long := strings.Repeat("x", 10<<10)
	for _, tt := range []struct {
		name, text string
		want       string // of the line, without level
	}{
		{"plain", "hello é", `"text":"hello é","message":"m"}`},
		{"a line break", "a\nb\r", `"text":"a\nb\r","message":"m"}`},
		{"colours", "\x1b[31m", `"text":"\u001b[31m","message":"m"}`},
		{"as one byte", "\u009b31m\u0085", `"text":"\u009b31m\u0085","message":"m"}`},
		{"the other way round", "\u202e\u2028\U000e0041", `"text":"\u202e\u2028\udb40\udc41","message":"m"}`},
		{"no text", "\xff\x00", `"text":"\ufffd\u0000","message":"m"}`},
		{"long", long, `"text":"` + long[:1<<10] + `..."}`},
	} {
		var out bytes.Buffer
		log := zerolog.New(Writer{&out})
		log.Info().Str("text", tt.text).Msg("m")
		if got := out.String(); !strings.HasSuffix(got, tt.want+"\n") {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// FuzzLogLines: one record is one line, of JSON, whatever is in it.
func FuzzLogLines(f *testing.F) {
	f.Add("name", "a\nb", "\x1b[2J", []byte{0xff, 0})
	f.Add("{", strings.Repeat("\u009b", 5000), "\u2028", []byte(strings.Repeat("\\\"", 9000)))
	f.Add("level", `"},{"`, strings.Repeat("x", 9000), []byte("\r\n"))
	f.Fuzz(func(t *testing.T, name, value, message string, stack []byte) {
		var out bytes.Buffer
		log := zerolog.New(Writer{&out}).With().Timestamp().Logger()
		log.Warn().Str(name, value).Bytes("stack", stack).Msg(message)
		log.Info().Msg("next")
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != 2 {
			t.Fatalf("2 records are %d lines", len(lines))
		}
		for _, line := range lines {
			if !json.Valid([]byte(line)) || len(line) > longestLine {
				t.Errorf("%d bytes, which are no record: %.300s", len(line), line)
			}
			if at := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); at >= 0 {
				t.Errorf("%q is not printable", line[at:min(len(line), at+10)])
			}
		}
	})
}
