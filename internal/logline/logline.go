// Package logline writes each record of a log as one line, whatever is in it.
package logline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Lengths of the log, in bytes: of a line, and of a text in one that is too long.
const (
	longestLine = 8 << 10
	longestText = 1 << 10
)

// Writer writes records, each of which is an object of JSON, as one line each: of printable characters, and
// no longer than longestLine. What comes from outside can look like no other record, and do nothing to the
// terminal that shows it.
type Writer struct{ To io.Writer }

// Write implements io.Writer. It is given one record at a time.
func (l Writer) Write(record []byte) (int, error) {
	line := escaped(bytes.TrimRight(record, "\n"))
	if len(line) >= longestLine {
		line = escaped(shortened(record))
	}
	if _, err := l.To.Write(append(line, '\n')); err != nil {
		return 0, err
	}
	return len(record), nil
}

// escaped writes what is not printable as JSON does: outside of texts a record has none.
func escaped(record []byte) []byte {
	out := make([]byte, 0, len(record)+1)
	for len(record) > 0 {
		r, size := utf8.DecodeRune(record)
		switch {
		case r == utf8.RuneError && size == 1:
			out = append(out, `\ufffd`...)
		case unicode.IsPrint(r):
			out = append(out, record[:size]...)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		}
		record = record[size:]
	}
	return out
}

// shortened is a record whose texts are cut, and which says so; of one that is too long even then only what all
// records have is left.
func shortened(record []byte) []byte {
	var fields map[string]any
	if err := json.Unmarshal(record, &fields); err != nil {
		fields = map[string]any{"message": string(record)}
	}
	for name, x := range fields {
		if text, ok := x.(string); ok && len(text) > longestText {
			fields[name] = text[:longestText] + "..."
		}
	}
	fields["cut"] = len(record)
	out, err := json.Marshal(fields)
	if len(escaped(out)) < longestLine && err == nil {
		return out
	}
	out, _ = json.Marshal(map[string]any{ // texts and a number
		"level": fields["level"], "time": fields["time"], "cut": len(record), "message": brief(fields["message"]),
	})
	return out
}

// brief is the beginning of a text, short enough however it is escaped.
func brief(v any) string {
	text, _ := v.(string)
	return text[:min(len(text), longestText/4)]
}
