package main

import (
	"io"
	"regexp"
	"slices"
	"unicode/utf8"
)

// quiet writes out what a terminal would obey, but for line breaks, tabs and colours.
type quiet struct {
	to      io.Writer
	returns bool   // carriage returns pass too, as progress bars have them
	rest    []byte // the beginning of a rune or of a colour whose end is to come
}

// harmless is a sequence that changes the look of letters alone.
var harmless = regexp.MustCompile(`^\x1b\[[0-9;]*m`)

// longestColour bounds what is kept back in bytes.
const longestColour = 32

// Write implements io.Writer.
func (q *quiet) Write(data []byte) (int, error) {
	text := slices.Concat(q.rest, data)
	var out []byte
	for len(text) > 0 {
		if colour := harmless.Find(text); colour != nil {
			out, text = append(out, colour...), text[len(colour):]
			continue
		}
		if !utf8.FullRune(text) || text[0] == '\x1b' && len(text) < longestColour && unfinished.Match(text) {
			break
		}
		r, size := utf8.DecodeRune(text)
		if passes := r == '\n' || r == '\t' || r == '\r' && q.returns; drives(r) && !passes || r == utf8.RuneError {
			out = append(out, visible(string(r))...)
		} else {
			out = append(out, text[:size]...)
		}
		text = text[size:]
	}
	q.rest = slices.Clone(text)
	if _, err := q.to.Write(out); err != nil {
		return 0, err
	}
	return len(data), nil
}

var unfinished = regexp.MustCompile(`^\x1b(\[[0-9;]*)?$`)
