package experiment

import (
	"regexp"
	"strings"
)

// varying matches what differs in the messages of one cause: addresses and numbers.
var varying = regexp.MustCompile(`0x[0-9a-fA-F]+|[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?`)

// Fate is a text that trials have in common which ended for what looks like the same cause: state, reason, and the
// message without the trial's name and numbers. Trials without metrics differ in no more than what they printed.
func (t *Trial) Fate() string {
	fate := string(t.State) + "\x00" + t.Reason
	if t.State == TrialMetricsUnavailable {
		return fate
	}
	return fate + "\x00" + varying.ReplaceAllString(strings.ReplaceAll(t.Message, t.Name, "*"), "0")
}
