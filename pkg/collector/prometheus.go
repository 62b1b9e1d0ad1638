package collector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxPage bounds what is read of a Prometheus page, in bytes.
const maxPage = 16 << 20

// Scrape reads a page in the Prometheus text format 0.0.4 and returns the value of each wanted
// metric. A wanted name may carry labels, loss{set="val"}: the series must have these, and may have
// more. It is an error if a wanted name fits several series, or is a histogram or a summary; the
// other metrics are returned beside the error. A metric that is not on the page is left out.
func Scrape(ctx context.Context, client *http.Client, url string, metrics []string) ([]Sample, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("scrape metrics: %w", err)
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("scrape metrics: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scrape metrics: %s answered %s", url, response.Status)
	}
	samples, err := parsePage(io.LimitReader(response.Body, maxPage), metrics)
	if err != nil {
		return samples, fmt.Errorf("scrape %s: %w", url, err)
	}
	return samples, nil
}

// series is one line of a page, or a wanted name (then without value).
type series struct {
	name   string
	labels map[string]string
	value  string
	time   time.Time
}

// page gathers the lines of a Prometheus page that belong to wanted series.
type page struct {
	wanted []series
	found  [][]series        // by index of wanted
	types  map[string]string // of wanted names
	faults []error
	line   int
}

func parsePage(r io.Reader, metrics []string) ([]Sample, error) {
	metrics = unique(metrics)
	p := page{found: make([][]series, len(metrics)), types: map[string]string{}}
	for _, m := range metrics {
		s, rest, err := parseSeries(m)
		if err == nil && rest != "" {
			err = fmt.Errorf("%q follows the name", rest)
		}
		if err != nil {
			return nil, fmt.Errorf("metric %q: %w", m, err)
		}
		p.wanted = append(p.wanted, s)
	}
	lines := NewLines(p.read)
	if _, err := io.Copy(lines, r); err != nil {
		return nil, err
	}
	lines.Close()
	return p.samples(metrics)
}

func (p *page) read(line string) {
	p.line++
	line = strings.TrimSpace(line)
	if kind, ok := strings.CutPrefix(line, "# TYPE "); ok {
		if f := strings.Fields(kind); len(f) == 2 && p.wants(f[0]) {
			p.types[f[0]] = f[1]
		}
		return
	}
	if line == "" || line[0] == '#' || !p.wants(line[:nameLen(line)]) {
		return
	}
	s, err := parseLine(line)
	if err != nil {
		p.faults = append(p.faults, fmt.Errorf("line %d: %w", p.line, err))
		return
	}
	for i, w := range p.wanted {
		// Two are enough to see that the name is ambiguous.
		if s.name == w.name && hasLabels(s.labels, w.labels) && len(p.found[i]) < 2 {
			p.found[i] = append(p.found[i], s)
		}
	}
}

func (p *page) wants(name string) bool {
	return slices.ContainsFunc(p.wanted, func(w series) bool { return w.name == name })
}

func (p *page) samples(metrics []string) ([]Sample, error) {
	var samples []Sample
	faults := p.faults[:min(len(p.faults), 10)]
	for i, m := range metrics {
		found := p.found[i]
		switch kind := p.types[p.wanted[i].name]; {
		case kind == "histogram" || kind == "summary":
			faults = append(faults, fmt.Errorf("metric %q is a %s, which has no single value: use a gauge or a counter", m, kind))
		case len(found) > 1:
			faults = append(faults, fmt.Errorf("metric %q has several series, such as %s and %s: name the labels of one", m, found[0], found[1]))
		case len(found) == 1:
			samples = append(samples, Sample{Metric: m, Text: found[0].value, Time: found[0].time})
		}
	}
	return samples, errors.Join(faults...)
}

// String writes the series as the page does.
func (s series) String() string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(s.labels)) {
		pairs = append(pairs, name+"="+strconv.Quote(s.labels[name]))
	}
	return s.name + "{" + strings.Join(pairs, ",") + "}"
}

func hasLabels(all, some map[string]string) bool {
	for name, value := range some {
		if got, ok := all[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// parseLine reads: name{label="value",...} value [milliseconds since 1970].
func parseLine(line string) (series, error) {
	s, rest, err := parseSeries(line)
	if err != nil {
		return s, err
	}
	f := strings.Fields(rest)
	if len(f) != 1 && len(f) != 2 {
		return s, fmt.Errorf("metric %q: want a value and perhaps a time, got %q", s.name, rest)
	}
	if !isNumber(f[0]) {
		return s, fmt.Errorf("metric %q: %q is no number", s.name, f[0])
	}
	s.value = f[0]
	if len(f) == 2 {
		ms, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return s, fmt.Errorf("metric %q: %q is no time in milliseconds", s.name, f[1])
		}
		s.time = time.UnixMilli(ms).UTC()
	}
	return s, nil
}

// parseSeries reads a name and labels, and returns what follows them.
func parseSeries(text string) (s series, rest string, err error) {
	n := nameLen(text)
	if n == 0 {
		return s, text, fmt.Errorf("%q starts with no metric name", shown(text))
	}
	s.name, rest = text[:n], strings.TrimLeft(text[n:], " \t")
	inner, ok := strings.CutPrefix(rest, "{")
	if !ok {
		return s, rest, nil
	}
	s.labels = map[string]string{}
	for {
		inner = strings.TrimLeft(inner, " \t")
		if after, ok := strings.CutPrefix(inner, "}"); ok {
			return s, strings.TrimLeft(after, " \t"), nil
		}
		name, value, after, err := parseLabel(inner)
		if err != nil {
			return s, rest, fmt.Errorf("metric %q: %w", s.name, err)
		}
		s.labels[name] = value
		inner = strings.TrimLeft(after, " \t")
		if next, ok := strings.CutPrefix(inner, ","); ok {
			inner = next
		} else if !strings.HasPrefix(inner, "}") {
			return s, rest, fmt.Errorf("metric %q: the labels have no end", s.name)
		}
	}
}

// parseLabel reads name="value" with the escapes \\, \" and \n.
func parseLabel(text string) (name, value, rest string, err error) {
	n := nameLen(text)
	rest, ok := strings.CutPrefix(strings.TrimLeft(text[n:], " \t"), "=")
	if n == 0 || !ok {
		return "", "", "", fmt.Errorf("want label=\"value\", got %s", shown(text))
	}
	rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " \t"), `"`)
	if !ok {
		return "", "", "", fmt.Errorf("label %q: the value is not quoted", text[:n])
	}
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			return text[:n], b.String(), rest[i+1:], nil
		case c == '\\' && i+1 < len(rest):
			i++
			if rest[i] == 'n' {
				b.WriteByte('\n')
			} else {
				b.WriteByte(rest[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", "", fmt.Errorf("label %q: the value has no end", text[:n])
}

// nameLen returns the length of the metric or label name that text starts with.
func nameLen(text string) int {
	n := 0
	for n < len(text) && (isWord(text[n]) || text[n] == ':') && (n > 0 || !isDigit(text[n])) {
		n++
	}
	return n
}
