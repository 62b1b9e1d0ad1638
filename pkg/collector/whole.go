package collector

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// unavailable is the value that Katib records for an objective that never appeared.
const unavailable = "unavailable"

// katibFilter is what Katib looks for in lines of text where no filter is given.
const katibFilter = `([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)`

// ParseMetricLog reads a whole metrics file and returns what Katib's collector reports of it at the
// end of a trial, to the letter: values may be empty, numbers of JSON that are not quoted do not
// count, and times are read as wholeFileTime says. The collectors for live output find more. The
// format is "TEXT" or "JSON"; metrics[0] is the objective, and filters belong to TEXT. When the
// objective does not appear, the only sample is the objective with the text "unavailable". A line
// that is no JSON object is an error in JSON format.
func ParseMetricLog(r io.Reader, metrics, filters []string, format string) ([]Sample, error) {
	var find func(line string) ([]Sample, error)
	switch format {
	case "TEXT":
		patterns, err := wholeFilters(filters)
		if err != nil {
			return nil, err
		}
		find = func(line string) ([]Sample, error) { return textAsKatib(line, metrics, patterns), nil }
	case "JSON":
		find = func(line string) ([]Sample, error) { return jsonAsKatib(line, metrics) }
	default:
		return nil, fmt.Errorf("metrics format must be TEXT or JSON, got %q", format)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	var samples []Sample
	for i, line := range strings.Split(string(content), "\n") {
		found, err := find(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		samples = append(samples, found...)
	}
	named := func(s Sample) bool { return s.Metric == metrics[0] }
	if len(metrics) > 0 && !slices.ContainsFunc(samples, named) {
		return []Sample{{Metric: metrics[0], Text: unavailable}}, nil
	}
	return samples, nil
}

func wholeFilters(filters []string) ([]*regexp.Regexp, error) {
	if len(filters) == 0 {
		filters = []string{katibFilter}
	}
	patterns := make([]*regexp.Regexp, len(filters))
	for i, f := range filters {
		pattern, err := regexp.Compile(f)
		if err != nil {
			return nil, fmt.Errorf("metricsFormat[%d]: %w", i, err)
		}
		patterns[i] = pattern
	}
	return patterns, nil
}

// textAsKatib applies the patterns to a line that holds the name of a wanted metric.
func textAsKatib(line string, metrics []string, patterns []*regexp.Regexp) (samples []Sample) {
	if !slices.ContainsFunc(metrics, func(m string) bool { return strings.Contains(line, m) }) {
		return nil
	}
	for _, pattern := range patterns {
		for _, m := range pattern.FindAllStringSubmatch(line, -1) {
			if len(m) < 3 {
				continue
			}
			name, value := strings.TrimSpace(m[1]), strings.TrimSpace(m[2])
			if slices.Contains(metrics, name) {
				samples = append(samples, Sample{Metric: name, Text: strings.ToValidUTF8(value, "\uFFFD"), Time: firstToken(line)})
			}
		}
	}
	return samples
}

// jsonAsKatib takes the wanted metrics whose values are text from a line.
func jsonAsKatib(line string, metrics []string) (samples []Sample, err error) {
	if line == "" {
		return nil, nil
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(line), &object); err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}
	for _, m := range metrics {
		if text, ok := object[m].(string); ok {
			samples = append(samples, Sample{Metric: m, Text: text, Time: wholeFileTime(object["timestamp"])})
		}
	}
	return samples, nil
}

// wholeFileTime reads "timestamp" as Katib does: text must be RFC 3339, and the digits after the
// decimal point of a number are a count of nanoseconds, so that 1.25 is 1 s and 25 ns. Zero for
// anything else.
func wholeFileTime(v any) time.Time {
	switch v := v.(type) {
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return t
		}
	case float64:
		whole, fraction, _ := strings.Cut(strconv.FormatFloat(v, 'f', -1, 64), ".")
		seconds, err := strconv.ParseInt(whole, 10, 64)
		if err != nil {
			return time.Time{}
		}
		nanoseconds, _ := strconv.ParseInt(fraction, 10, 64) // "" is 0
		return time.Unix(seconds, nanoseconds).UTC()
	}
	return time.Time{}
}
