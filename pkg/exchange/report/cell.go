package report

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// cell is a value in a table.
type cell struct {
	Text string
	Full string // what is shown where one points, when Text may not be all of it

	text bool // though it may look like a number
}

// widestText is how much of a text is sure to fit into a column, see th and td in style.css.
const widestText = 40 // characters

func newCell(text string) cell {
	c := cell{Text: text}
	if utf8.RuneCountInString(text) > widestText {
		c.Full = text
	}
	return c
}

// Numbers of a column have at least so many digits, unless they are exact with fewer, and never more than tell any two
// float64 apart.
const (
	fewestDigits = 6
	mostDigits   = 17
)

// shorten shortens the numbers of a column of n cells to the fewest digits, but 6, with which those that differ still do.
func shorten(n int, at func(i int) *cell) {
	digits := fewestDigits
	for digits < mostDigits && merges(n, at, digits) {
		digits++
	}
	for i := range n {
		c := at(i)
		if text := shortened(c, digits); text != c.Text {
			c.Text, c.Full = text, c.Text
		}
	}
}

// merges reports whether two numbers that differ would look alike with so many digits.
func merges(n int, at func(i int) *cell, digits int) bool {
	seen := map[string]float64{}
	for i := range n {
		v, err := strconv.ParseFloat(at(i).Text, 64)
		if err != nil || at(i).text || math.IsNaN(v) {
			continue
		}
		text := shortened(at(i), digits)
		if other, ok := seen[text]; ok && other != v {
			return true
		}
		seen[text] = v
	}
	return false
}

// shortened is what stands in a cell, of a number with many digits so many.
func shortened(c *cell, digits int) string {
	if c.text {
		return c.Text
	}
	return brief(c.Text, digits)
}

// brief is a text, of a number that is longer its first digits.
func brief(text string, digits int) string {
	if v, err := strconv.ParseFloat(text, 64); err == nil && len(text) > digits+2 {
		return strconv.FormatFloat(v, 'g', digits, 64)
	}
	return text
}
