package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tuned-hpo/tuned/pkg/collector"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// source is a place that is looked at again and again. Only one goroutine at a time uses it.
type source interface {
	poll()
	close()
	near() string // why the objective was not found there; "" when nothing can be said
}

// choose prepares what the collector's kind asks for.
func (c *collection) choose(spec *trialdir.Spec) (err error) {
	from := spec.Collector
	switch from.Kind {
	case "StdOut", "":
		c.stdout = true
		c.parser, err = collector.NewText(spec.Metrics, from.Filters)
	case "Custom":
		c.parser, err = collector.NewText(spec.Metrics, from.Filters)
	case "File":
		if from.Format == "JSON" {
			c.parser = collector.NewJSON(spec.Metrics)
		} else {
			c.parser, err = collector.NewText(spec.Metrics, from.Filters)
		}
		c.makeFolder(filepath.Dir(from.Path))
		c.source = &fileSource{c: c, path: from.Path, tail: collector.NewTail(from.Path, c.line)}
		c.skipOld()
	case "TensorFlowEvent":
		c.makeFolder(from.Path)
		c.source = &eventSource{c: c, path: from.Path, events: collector.NewEvents(from.Path, spec.Metrics)}
		c.skipOld()
	case "PrometheusMetric":
		c.source = &pageSource{c: c, url: from.URL, metrics: spec.Metrics, last: map[string]collector.Sample{}}
	case "Push", "None":
		c.blind.Store(true)
	default:
		return fmt.Errorf("collect metrics: unknown kind %q", from.Kind)
	}
	return err
}

// skipOld reads what is there before the command starts, and which therefore is not this trial's.
func (c *collection) skipOld() {
	c.old = true
	c.source.poll()
	c.old = false
}

// makeFolder makes the folder that a training program expects to be there, as it is in a pod.
func (c *collection) makeFolder(path string) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		c.notes.add("make the folder for metrics: %v", err)
	}
}

// fileSource follows a file of lines.
type fileSource struct {
	c    *collection
	path string
	tail *collector.Tail
}

func (s *fileSource) poll() {
	if err := s.tail.Poll(); err != nil {
		s.c.notes.add("%v", err)
	}
}

func (s *fileSource) close() {
	if err := s.tail.Close(); err != nil {
		s.c.notes.add("%v", err)
	}
}

func (s *fileSource) near() string {
	if _, err := os.Stat(s.path); err != nil {
		return printable(fmt.Sprintf("the metrics file %s cannot be read: %v", s.path, err))
	}
	return s.c.parser.Near()
}

// eventSource reads TensorFlow event files.
type eventSource struct {
	c      *collection
	path   string
	events *collector.Events
	err    error
}

func (s *eventSource) poll() {
	samples, err := s.events.Poll()
	if err != nil {
		s.err = err
		s.c.notes.add("%v", err)
	}
	s.c.add(samples)
}

func (s *eventSource) close() {}

func (s *eventSource) near() string {
	if s.err != nil {
		return printable(s.err.Error())
	}
	return printable(fmt.Sprintf("no event file below %s has a scalar of that name", s.path))
}

// pageSource scrapes a page of Prometheus metrics.
type pageSource struct {
	c       *collection
	url     string
	metrics []string
	last    map[string]collector.Sample
	err     error
}

// poll takes values that are new: a gauge that stays is no progress.
func (s *pageSource) poll() {
	ctx, cancel := context.WithTimeout(context.Background(), pollEvery)
	defer cancel()
	samples, err := collector.Scrape(ctx, scraper, s.url, s.metrics)
	if err != nil {
		s.err = err
	}
	var changed []collector.Sample
	for _, sample := range samples {
		if s.last[sample.Metric] != sample {
			s.last[sample.Metric] = sample
			changed = append(changed, sample)
		}
	}
	s.c.add(changed)
}

func (s *pageSource) close() {}

func (s *pageSource) near() string {
	if s.err != nil {
		return printable(s.err.Error())
	}
	return printable("the page " + s.url + " has no metric of that name")
}

// scraper follows no redirects: the page is the training's own and nobody else's.
var scraper = &http.Client{
	Timeout:       5 * time.Second,
	Transport:     &http.Transport{Proxy: nil, MaxIdleConns: 1, IdleConnTimeout: 10 * time.Second},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}
