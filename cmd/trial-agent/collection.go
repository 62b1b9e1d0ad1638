package main

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tuned-hpo/tuned/pkg/collector"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

const (
	pollEvery   = time.Second
	maxText     = 1 << 10 // of a value, in bytes
	lastLines   = 5       // kept as evidence
	maxEvidence = 300     // of one such line, in bytes
)

// collection turns what the command prints and writes into measurements in the spool.
type collection struct {
	spool    *trialdir.Spool
	notes    *notes
	appended func()        // called after measurements went to the spool
	fresh    chan struct{} // capacity 1: there are new measurements

	parser parser        // nil when no lines are read
	source source        // nil when nothing is polled
	blind  atomic.Bool   // the collector is Push, and nothing was reported through the file
	told   *reports      // what the command reports itself
	old    bool          // what is read now was there before the command
	stdout bool          // what the command prints is read for measurements
	ending chan struct{} // closed when the command has ended
	polled chan struct{} // closed when polling is over

	mu        sync.Mutex // guards the rest, and the parser
	objective string
	appeared  bool // the objective did
	pace      pace
	recent    []string // the last lines that the command printed
}

// parser finds measurements in lines.
type parser interface {
	Line(line string) []collector.Sample
	Near() string
}

func newCollection(spec *trialdir.Spec, spool *trialdir.Spool, notes *notes) (*collection, error) {
	c := &collection{
		spool: spool, notes: notes, appended: func() {}, fresh: make(chan struct{}, 1),
		ending: make(chan struct{}), polled: make(chan struct{}), objective: spec.Metrics[0],
	}
	return c, c.choose(spec)
}

// printed takes a line that the command printed.
func (c *collection) printed(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if strings.TrimSpace(line) != "" {
		if len(c.recent) == lastLines {
			c.recent = slices.Delete(c.recent, 0, 1)
		}
		c.recent = append(c.recent, line[:min(len(line), maxEvidence)])
	}
	if c.stdout {
		c.keep(c.parser.Line(line))
	}
}

// line takes a line that is read for measurements only.
func (c *collection) line(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.old {
		c.keep(c.parser.Line(line))
	}
}

// add takes samples.
func (c *collection) add(samples []collector.Sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.old {
		c.keep(samples)
	}
}

// keep puts samples into the spool as far as their number is sane; c.mu is held.
func (c *collection) keep(samples []collector.Sample) {
	if len(samples) == 0 {
		return
	}
	select {
	case c.fresh <- struct{}{}:
	default:
	}
	rate := float64(fullRate)
	if c.spool.Size() > slowAbove {
		rate = slowRate
	}
	c.write(c.pace.admit(time.Now(), rate, samples))
}

func (c *collection) write(samples []collector.Sample) {
	if len(samples) == 0 {
		return
	}
	arrived := now()
	ms := make([]trialdir.Measurement, len(samples))
	for i, s := range samples {
		ms[i] = trialdir.Measurement{Time: s.Time, Step: s.Step, Metric: s.Metric, Text: strings.ToValidUTF8(s.Text[:min(len(s.Text), maxText)], "")}
		if s.Time.IsZero() {
			ms[i].Time = arrived
		}
		c.appeared = c.appeared || s.Metric == c.objective
	}
	for err := c.spool.Append(ms); err != nil; err = c.spool.Append(ms) {
		// The command waits with us, for its output is not read: better late than lost.
		c.notes.add("%v; trying again", err)
		if !c.patient() {
			c.notes.add("%d measurements were lost", len(ms))
			return
		}
	}
	c.appended()
}

// patient waits before the spool is tried again. It reports false when that has no use any more.
func (c *collection) patient() bool {
	select {
	case <-c.ending:
		return false
	case <-time.After(pollEvery):
		return true
	}
}

// begin polls until the command has ended.
func (c *collection) begin() {
	go func() {
		defer close(c.polled)
		tick := time.NewTicker(pollEvery)
		defer tick.Stop()
		for {
			select {
			case <-c.ending:
				return
			case <-tick.C:
				c.poll()
			}
		}
	}()
}

func (c *collection) poll() {
	if c.source != nil {
		c.source.poll()
	}
	c.told.poll()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write(c.pace.release())
}

// end collects what came last. All output has been read before.
func (c *collection) end() {
	close(c.ending)
	<-c.polled
	c.poll()
	if c.source != nil {
		c.source.close()
	}
	c.told.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write(c.pace.release())
	if c.pace.dropped > 0 {
		c.notes.add("%d measurements came faster than %d a second; of each metric the least, the greatest and the latest of them were kept", c.pace.dropped, fullRate)
	}
}

// near says why the objective did not appear; "" when it did.
func (c *collection) near() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.appeared:
		return ""
	case c.parser != nil && c.source == nil:
		return c.parser.Near()
	case c.source != nil:
		return c.source.near()
	}
	return ""
}

// evidence returns the last lines that the command printed, safe to print.
func (c *collection) evidence() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := make([]string, len(c.recent))
	for i, line := range c.recent {
		lines[i] = printable(strings.TrimSpace(line))
	}
	return strings.Join(lines, " | ")
}
