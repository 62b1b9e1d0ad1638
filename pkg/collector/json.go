package collector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"time"
)

// JSON finds metrics in lines that are JSON objects. Values may be numbers or strings.
type JSON struct {
	metrics []string
	near    nearJSON
}

// NewJSON returns a collector of the named metrics, the objective first.
func NewJSON(metrics []string) *JSON {
	return &JSON{metrics: unique(metrics)}
}

// Line returns what one line says about the wanted metrics, in the order in which they are wanted.
// A line that is no JSON object says nothing. "timestamp" is RFC 3339 text or seconds since 1970;
// "step", "global_step" or "epoch" is the step. The metric "eval.loss" is the key "eval.loss", or
// the key "loss" of the object "eval".
func (c *JSON) Line(line string) []Sample {
	c.near.line++
	line = line[:min(len(line), maxLine)]
	if strings.TrimSpace(line) == "" {
		return nil
	}
	samples, err := c.parse(line)
	if len(c.metrics) > 0 {
		c.near.look(c.metrics[0], line, samples, err)
	}
	return samples
}

// Near says, when no value of the objective was found, why lines gave none and which keys came
// close; "" when the objective was found.
func (c *JSON) Near() string {
	if c.near.found || len(c.metrics) == 0 {
		return ""
	}
	return c.near.text(c.metrics[0])
}

func (c *JSON) parse(line string) ([]Sample, error) {
	object, err := decodeObject(line)
	if err != nil {
		return nil, err
	}
	var samples []Sample
	for _, m := range c.metrics {
		if text, ok := scalarText(lookup(object, m)); ok && isNumber(text) {
			samples = append(samples, Sample{Metric: m, Text: text})
		}
	}
	if len(samples) == 0 {
		return nil, nil
	}
	at, step := jsonTime(object["timestamp"]), jsonStep(object)
	for i := range samples {
		samples[i].Time, samples[i].Step = at, step
	}
	return samples, nil
}

// decodeObject reads one JSON object; numbers stay text. NaN and Infinity without quotes are
// accepted, as Python writes them.
func decodeObject(line string) (map[string]any, error) {
	if trimmed := strings.TrimSpace(line); !strings.HasPrefix(trimmed, "{") {
		return nil, errors.New("parse JSON: the line is not an object")
	}
	object, err := decode(line)
	if err != nil && bareWord.MatchString(line) {
		if quoted, again := decode(quoteBare(line)); again == nil {
			return quoted, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}
	return object, nil
}

func decode(line string) (map[string]any, error) {
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the object has no end")
		}
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	return object, nil
}

// bareWord matches a JSON string, or a word that JSON does not know.
var bareWord = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b`)

func quoteBare(line string) string {
	return string(bareWord.ReplaceAllFunc([]byte(line), func(m []byte) []byte {
		if m[0] == '"' {
			return m
		}
		return bytes.Join([][]byte{{'"'}, m, {'"'}}, nil)
	}))
}

// lookup returns the value of a key, or of a dotted path through objects.
func lookup(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	for i, c := range name {
		if c != '.' {
			continue
		}
		if inner, ok := object[name[:i]].(map[string]any); ok {
			if v := lookup(inner, name[i+1:]); v != nil {
				return v
			}
		}
	}
	return nil
}

func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case json.Number:
		return v.String(), true
	case string:
		v = strings.TrimSpace(v)
		return v, v != ""
	}
	return "", false
}

func jsonStep(object map[string]any) int64 {
	for _, key := range []string{"step", "global_step", "epoch"} {
		if text, ok := scalarText(object[key]); ok {
			if step := parseStep(text); step > 0 {
				return step
			}
		}
	}
	return 0
}

// jsonTime reads RFC 3339 text, or seconds since 1970 as a number.
func jsonTime(v any) time.Time {
	switch v := v.(type) {
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return stampAt(v)
		}
		return t
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return time.Time{}
		}
		return unixTime(f)
	}
	return time.Time{}
}

// unixTime converts seconds since 1970 to a time in whole microseconds, about what a float64 can
// carry today. Zero for what is not positive, not finite or beyond the year 9999.
func unixTime(seconds float64) time.Time {
	if !(seconds > 0 && seconds < 253402300800) {
		return time.Time{}
	}
	return time.UnixMicro(int64(math.Round(seconds * 1e6))).UTC()
}
