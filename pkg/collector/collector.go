// Package collector turns what a training program leaves behind (lines of text, JSON lines,
// TensorFlow event files, a Prometheus page) into observations of the wanted metrics.
//
// Nothing here is safe for concurrent use: one goroutine feeds one collector.
package collector

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Sample is one value of one metric, as found.
type Sample struct {
	Metric string
	Text   string    // the value as written, valid UTF-8; a percent sign and quotes are left out
	Time   time.Time // zero when unknown
	Step   int64     // 0 when unknown
}

// maxLine bounds what is kept and searched of one line, in bytes.
const maxLine = 64 << 10

// unavailable is the value that Katib records for an objective that never appeared.
const unavailable = "unavailable"

// ParseMetricLog reads a whole metrics file the way Katib's collector does at the end of a trial.
// The format is "TEXT" or "JSON"; metrics[0] is the objective. When the objective does not appear,
// the only sample is the objective with the text "unavailable". A line that is no JSON object is
// an error in JSON format. Times are read as Katib reads them: of text only RFC 3339 before the
// first space, of JSON as in wholeFileTime.
func ParseMetricLog(r io.Reader, metrics, filters []string, format string) ([]Sample, error) {
	var find func(string) ([]Sample, error)
	switch format {
	case "TEXT":
		text, err := NewText(metrics, filters)
		if err != nil {
			return nil, err
		}
		text.whole = true
		find = func(line string) ([]Sample, error) { return text.Line(line), nil }
	case "JSON":
		j := NewJSON(metrics)
		j.whole = true
		find = j.parse
	default:
		return nil, fmt.Errorf("metrics format must be TEXT or JSON, got %q", format)
	}
	samples, err := readLines(r, find)
	if err != nil {
		return nil, err
	}
	named := func(s Sample) bool { return s.Metric == metrics[0] }
	if len(metrics) > 0 && !slices.ContainsFunc(samples, named) {
		return []Sample{{Metric: metrics[0], Text: unavailable}}, nil
	}
	return samples, nil
}

// readLines collects what find says about each line that is not empty, until it says an error.
func readLines(r io.Reader, find func(string) ([]Sample, error)) ([]Sample, error) {
	var samples []Sample
	var bad error
	n := 0
	lines := NewLines(func(line string) {
		n++
		if bad != nil || strings.TrimSpace(line) == "" {
			return
		}
		found, err := find(line)
		if err != nil {
			bad = fmt.Errorf("line %d: %w", n, err)
		}
		samples = append(samples, found...)
	})
	if _, err := io.Copy(lines, bufio.NewReader(r)); err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	lines.Close()
	return samples, bad
}

// checkMetrics returns the wanted names without repeats. It is an error if there is none, or one is
// empty.
func checkMetrics(metrics []string) ([]string, error) {
	if len(metrics) == 0 {
		return nil, errors.New("no metric is wanted")
	}
	if i := slices.Index(metrics, ""); i >= 0 {
		return nil, fmt.Errorf("metrics[%d]: the name is empty", i)
	}
	return unique(metrics), nil
}

func unique(names []string) []string {
	var out []string
	for _, name := range names {
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
