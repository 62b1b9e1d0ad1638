package collector

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// numberPattern is the second group of a proposed filter.
const numberPattern = `([+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|[nN]a[nN]|inf))`

const (
	gapLen   = 24 // bytes between a name and its value
	gapWords = 2  // words between them: "val_loss is now 0.4"
)

var whiteSpace = regexp.MustCompile(`\s+`)

// propose finds the name in the line that is most like the objective and has a number after it.
// The score is that of near.score for the name, 0 if the line has no such name.
func (n *near) propose(line string) (proposal, int) {
	var best proposal
	score := 0
	for i := 0; i < len(line); i++ {
		if i > 0 && (isName(line[i-1]) || line[i-1] == '+') {
			continue
		}
		length := numberLen(line[i:])
		if length == 0 || afterDash(line[:i]) || otherNumeral(line[i:i+length], line[i+length:]) || glued(line[i+length:]) {
			continue
		}
		from, to := n.nameBefore(line[:i])
		if s := n.score(line[from:to]); s > score {
			p := proposal{name: line[from:to], filter: filterFor(line[from:to], line[to:i])}
			if reads(p.name, []string{p.filter}, line) {
				best, score = p, s
			}
		}
		i += length - 1
	}
	if score == 0 && strings.Contains(strings.ToLower(line), strings.ToLower(n.objective)) {
		return proposal{name: n.objective}, n.score(n.objective)
	}
	return best, score
}

// afterDash tells whether what comes next may be negative by a sign that is no part of it: a filter for it would
// turn the value's sign.
func afterDash(text string) bool {
	last, _ := utf8.DecodeLastRuneInString(strings.TrimSpace(text))
	return unicode.Is(unicode.Pd, last) || strings.ContainsRune(minusSign+"±∓", last)
}

// filterFor returns the filter that takes a name, the gap after it, and a number.
func filterFor(name, gap string) string {
	parts := whiteSpace.Split(gap, -1)
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return "(" + regexp.QuoteMeta(name) + ")" + strings.Join(parts, `\s+`) + numberPattern
}

// nameBefore returns where in text the last name with a word of the objective stands, if at most a
// short gap without digits follows it; else 0, 0.
func (n *near) nameBefore(text string) (from, to int) {
	to = len(text)
	for range gapWords + 1 {
		from, to = lastToken(text[:to])
		if from == to || len(text)-to > gapLen || strings.ContainsAny(text[to:], "0123456789") {
			return 0, 0
		}
		if n.score(text[from:to]) > 0 {
			return n.widen(text, from, to), to
		}
		to = from
	}
	return 0, 0
}

// widen moves the start of a name over the words before it that are the objective's too, or to the
// objective itself where the name ends with it.
func (n *near) widen(text string, from, to int) int {
	if at := to - len(n.objective); at >= 0 && text[at:to] == n.objective && (at == 0 || !isWord(text[at-1])) {
		return at
	}
	for {
		before, end := lastToken(text[:from])
		if before == end || strings.TrimSpace(text[end:from]) != "" || n.score(text[before:end]) == 0 {
			return from
		}
		from = before
	}
}

// lastToken returns where the last word of text stands that a name could have; 0, 0 if none.
func lastToken(text string) (from, to int) {
	to = len(text)
	for to > 0 && (!isName(text[to-1]) || !isWord(text[to-1])) {
		to--
	}
	from = to
	for from > 0 && isName(text[from-1]) {
		from--
	}
	for from < to && !isWord(text[from]) {
		from++
	}
	return from, to
}
