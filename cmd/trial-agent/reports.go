package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tuned-hpo/tuned/pkg/collector"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// reports follows the file to which the command's clients write what it reports itself, whatever the
// collector is. So nothing of it is lost while the daemon is away, or when the command is killed.
type reports struct {
	c    *collection
	tail *collector.Tail
}

// follow makes the empty file of reports: a client that does not find it reports to the daemon.
func (c *collection) follow(root *os.Root, dir string) error {
	file, err := root.OpenFile(trialdir.ReportFile, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return fmt.Errorf("make the file of reports: %w", err)
	}
	r := &reports{c: c}
	r.tail = collector.NewTail(filepath.Join(dir, trialdir.ReportFile), r.line)
	c.told = r
	return nil
}

func (r *reports) poll() {
	if err := r.tail.Poll(); err != nil {
		r.c.notes.add("read what the command reports: %v", err)
	}
}

func (r *reports) close() {
	if err := r.tail.Close(); err != nil {
		r.c.notes.add("read what the command reports: %v", err)
	}
}

// line takes one report. Clients write an empty line before each, so that one that was cut off, as by a
// full disk, does not spoil the next.
func (r *reports) line(line string) {
	if line == "" {
		return
	}
	sample, ok := parseReport(line)
	if !ok {
		r.c.notes.add("a report cannot be read and is left out: %.100q", line)
		return
	}
	r.c.blind.Store(false)
	r.c.add([]collector.Sample{sample})
}

// parseReport reads one value of one metric. The text is kept as it is, also nan and inf.
func parseReport(line string) (collector.Sample, bool) {
	var m struct {
		Step         int64
		Metric, Text string
		Time         time.Time
	}
	if err := json.Unmarshal([]byte(line), &m); err != nil || m.Metric == "" || m.Text == "" {
		return collector.Sample{}, false
	}
	return collector.Sample{Metric: m.Metric, Text: m.Text, Step: m.Step, Time: m.Time}, true
}
