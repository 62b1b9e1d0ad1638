// Package collector turns what a training program leaves behind (lines of text, JSON lines,
// TensorFlow event files, a Prometheus page) into observations of the wanted metrics.
//
// Nothing here is safe for concurrent use: one goroutine feeds one collector.
package collector

import (
	"errors"
	"fmt"
	"slices"
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
