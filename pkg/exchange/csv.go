package exchange

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Prefixes of the columns of parameters and metrics; MLflow writes the same.
const (
	parameterPrefix = "params."
	metricPrefix    = "metrics."
)

// The other columns, in the order in which they are written.
var (
	columnsBefore = []string{"number", "name", "state", "reason", "message"}
	columnsAfter  = []string{"created", "started", "finished", "seconds", "feasible", "front", "best", "parent", "algorithm"}
)

// writeCSV writes a row per trial. An empty cell is a parameter that is not active, or what is not
// known. Numbers have the digits that read back as the same float64.
func writeCSV(w io.Writer, s *Study) error {
	c := csv.NewWriter(w)
	header := append([]string(nil), columnsBefore...)
	for _, p := range s.Experiment.Spec.Parameters {
		header = append(header, parameterPrefix+p.Name)
	}
	for _, m := range s.metrics() {
		header = append(header, metricPrefix+m)
	}
	if err := c.Write(append(header, columnsAfter...)); err != nil {
		return err
	}
	verdicts := s.verdicts()
	for i := range s.Trials {
		if err := c.Write(s.csvRow(&s.Trials[i], verdicts[i])); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func (s *Study) csvRow(t *experiment.Trial, v verdict) []string {
	row := []string{strconv.FormatUint(t.Number, 10), Guarded(t.Name), string(t.State), Guarded(t.Reason), Guarded(t.Message)}
	for _, p := range s.Experiment.Spec.Parameters {
		text, _ := parameter(t, p.Name)
		row = append(row, Guarded(text))
	}
	for _, m := range s.metrics() {
		row = append(row, s.metricText(t, m))
	}
	took := ""
	if d, ok := seconds(t); ok {
		took = exact(d)
	}
	return append(row, timeText(t.Created), timeText(t.Started), timeText(t.Finished), took,
		boolText(v.feasible), boolText(v.front), strconv.FormatBool(v.best), parentText(t), Guarded(t.Algorithm))
}

// parentText is the number of the trial whose checkpoint a trial began from; "" for none.
func parentText(t *experiment.Trial) string {
	if t.Parent == 0 {
		return ""
	}
	return strconv.FormatUint(t.Parent, 10)
}

// metricText is a metric's value as text; "" when there is none.
func (s *Study) metricText(t *experiment.Trial, name string) string {
	if v, ok := s.metric(t, name); ok {
		return exact(v)
	}
	return ""
}

func boolText(v *bool) string {
	if v == nil {
		return ""
	}
	return strconv.FormatBool(*v)
}

// Guarded puts ' before a text that a spreadsheet would take for a formula, as OWASP advises on CSV
// injection: one that begins with = + - @, tab or carriage return and is no number. Where such a text
// follows on quotes of its own it gets one more, so that plain can tell them apart.
func Guarded(text string) string {
	if formula(text) {
		return "'" + text
	}
	return text
}

// plain is the inverse of Guarded.
func plain(cell string) string {
	if strings.HasPrefix(cell, "'") && formula(cell[1:]) {
		return cell[1:]
	}
	return cell
}

func formula(text string) bool {
	text = strings.TrimLeft(text, "'")
	if text == "" || !strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return false
	}
	_, err := strconv.ParseFloat(text, 64)
	return err != nil
}
