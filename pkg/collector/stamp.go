package collector

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// stampAt returns the time that a line starts with, zero if there is none. RFC 3339 is taken as
// written; a date and time without zone (2026-01-01 12:00:00,123 as Python's logging prints it, or
// with T) is local time, since the program that printed it runs on this machine.
func stampAt(line string) time.Time {
	line = strings.TrimPrefix(line, "[")
	if len(line) < len(time.DateTime) || line[4] != '-' || !isDigit(line[0]) {
		return time.Time{}
	}
	token, _, _ := strings.Cut(line, " ")
	if t := firstToken(strings.TrimSuffix(token, "]")); !t.IsZero() {
		return t
	}
	end := len(time.DateTime)
	if end+1 < len(line) && (line[end] == ',' || line[end] == '.') {
		end += 1 + digits(line[end+1:])
	}
	if end < len(line) && !isSpace(line[end]) && line[end] != ']' && line[end] != ':' {
		return time.Time{} // a zone in another form, perhaps
	}
	for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, line[:end], time.Local); err == nil {
			return t
		}
	}
	return time.Time{}
}

// firstToken returns the RFC 3339 time before the first space of a line, all that Katib reads of a
// line's time; zero if there is none.
func firstToken(line string) time.Time {
	token, _, _ := strings.Cut(line, " ")
	if len(token) < len(time.DateTime) || !isDigit(token[0]) {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, token)
	if err != nil {
		return time.Time{}
	}
	return t
}

var (
	stepPattern  = regexp.MustCompile(`(?i)\b(?:global_)?step(?:['"]?\s*[:=#]\s*|\s+)[\['"]*(\d+)(?:\.0+)?(?:[^\d.\w]|$)`)
	epochPattern = regexp.MustCompile(`(?i)\b(?:epoch|iteration|iter)(?:['"]?\s*[:=#]\s*|\s+)[\['"]*(\d+)(?:\.0+)?(?:[^\d.\w]|$)`)
	roundPattern = regexp.MustCompile(`^\[(\d+)\]\s`) // LightGBM and XGBoost
	epochLine    = regexp.MustCompile(`^Epoch:?\s+\[?(\d+)(?:/\d+)?\]?:?$`)
)

// stepIn returns the step, iteration or epoch that a line names, 0 if it names none.
func stepIn(line string) int64 {
	for _, pattern := range []*regexp.Regexp{roundPattern, stepPattern, epochPattern} {
		if m := pattern.FindStringSubmatch(line); m != nil {
			return parseStep(m[1])
		}
	}
	return 0
}

// epochAlone returns the epoch of a line that says nothing else, as Keras prints it before the
// epoch's progress, else 0.
func epochAlone(line string) int64 {
	if !strings.HasPrefix(line, "Epoch") || len(line) > 40 {
		return 0
	}
	if m := epochLine.FindStringSubmatch(strings.TrimRight(line, " \t-")); m != nil {
		return parseStep(m[1])
	}
	return 0
}

// parseStep reads a whole number that is not negative; 0 if s is none.
func parseStep(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSuffix(s, ".0"), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

var escapes = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])`)

// plain returns the line without terminal escape sequences.
func plain(line string) string {
	if strings.IndexByte(line, '\x1b') < 0 {
		return line
	}
	return escapes.ReplaceAllString(line, "")
}
