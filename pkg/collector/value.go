package collector

import (
	"regexp"
	"strings"
)

// minusSign is the minus of typeset text (U+2212), which libraries of formatting print.
const minusSign = "\u2212"

var signedNumber = regexp.MustCompile(`(?i)` + minusSign + `(\.?[0-9]|inf|nan)`)

// asciiMinus puts a hyphen in place of each minus sign before a number.
func asciiMinus(line string) string {
	if !strings.Contains(line, minusSign) {
		return line
	}
	return signedNumber.ReplaceAllString(line, "-$1")
}

// wrappers are what Python prints around the number of a scalar object.
var wrappers = []string{"tensor(", "np.float64(", "np.float32(", "np.float16("}

// words are the values without digits, longest first, in lower case.
var words = []string{"infinity", "inf", "nan"}

// valueAt returns where the number at the start of s begins and ends, quotes and the wrapping of a
// scalar object left out. Strict refuses a number that something else is glued to (5th, 3/10,
// 12:30); a numeral of another kind (0x10, 1_000, 1.2.3, 1,000 or 0,5) is always refused.
func valueAt(s string, strict bool) (start, end int, ok bool) {
	if start < len(s) && (s[0] == '"' || s[0] == '\'') {
		start++
	}
	for _, w := range wrappers {
		if strings.HasPrefix(s[start:], w) {
			start += len(w)
			break
		}
	}
	n := numberLen(s[start:])
	if n == 0 {
		return 0, 0, false
	}
	end = start + n
	if otherNumeral(s[start:end], s[end:]) || strict && glued(s[end:]) {
		return 0, 0, false
	}
	return start, end, true
}

// isNumber tells whether s is one decimal number, nan or inf.
func isNumber(s string) bool {
	return s != "" && numberLen(s) == len(s)
}

// numberLen returns the length of the decimal number, nan or inf that s starts with, or 0.
func numberLen(s string) int {
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	for _, w := range words {
		end := i + len(w)
		if end <= len(s) && strings.EqualFold(s[i:end], w) && (end == len(s) || !isName(s[end])) {
			return end
		}
	}
	whole := digits(s[i:])
	i += whole
	if i < len(s) && s[i] == '.' {
		switch fraction := digits(s[i+1:]); {
		case fraction > 0:
			i += 1 + fraction
			whole += fraction
		case whole > 0 && exponentLen(s[i+1:]) > 0: // 1.e-05, as NumPy prints it
			i++
		}
	}
	if whole == 0 {
		return 0
	}
	return i + exponentLen(s[i:])
}

func exponentLen(s string) int {
	if len(s) < 2 || s[0] != 'e' && s[0] != 'E' {
		return 0
	}
	i := 1
	if s[i] == '+' || s[i] == '-' {
		i++
	}
	n := digits(s[i:])
	if n == 0 {
		return 0
	}
	return i + n
}

// otherNumeral tells whether number and rest together are one numeral that is not decimal.
func otherNumeral(number, rest string) bool {
	if rest == "" {
		return false
	}
	next := digits(rest[1:])
	switch rest[0] {
	case '_', '.':
		return next > 0
	case ',': // thousands, or the decimal comma
		return next > 0 && !strings.ContainsAny(number, ".eE")
	case 'x', 'X':
		return strings.TrimLeft(number, "+-") == "0" && len(rest) > 1 && isWord(rest[1])
	case 'b', 'B', 'o', 'O':
		return strings.TrimLeft(number, "+-") == "0" && next > 0
	}
	return false
}

// glued tells whether rest goes on where a number that stands alone would have ended.
func glued(rest string) bool {
	if rest == "" {
		return false
	}
	return isWord(rest[0]) || strings.IndexByte("/:-+*=", rest[0]) >= 0
}

// digits returns how many bytes at the start of s are decimal digits.
func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}

// isName tells whether c can be part of a metric's name in running text.
func isName(c byte) bool {
	return isWord(c) || c == '-' || c == '/' || c == '.' || c == '|'
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}
