package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/metrics"
	"github.com/tuned-hpo/tuned/pkg/observe"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
	"github.com/tuned-hpo/tuned/pkg/trace"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/local"
	"github.com/tuned-hpo/tuned/pkg/tuner"
	"github.com/tuned-hpo/tuned/pkg/webhook"
)

// observers are told of what becomes durable, and of what algorithms are asked.
type observers struct {
	registry *prometheus.Registry
	metrics  *metrics.Metrics
	sender   *webhook.Sender
	tracer   *trace.Tracer // nil: no traces
}

// observe makes the observers, and the store that tells them.
func (d *daemon) observe(ctx context.Context, a *app, c *config, st *badger.Store, runner *local.Runner) (*observe.Store, error) {
	o := &d.observers
	o.registry = prometheus.NewRegistry()
	shows := metrics.Config{
		Registerer: o.registry, Version: version, Slots: slotsOf(runner), Storage: storageOf(st),
		Agents: func() int { return d.server.Agents() },
	}
	if d.shown != nil {
		shows.CertificateEnd = func() time.Time { return d.shown.end(d.log) }
	}
	var err error
	if o.metrics, err = metrics.New(shows); err != nil {
		return nil, err
	}
	if o.sender, err = d.openSender(c, st); err != nil {
		return nil, err
	}
	all := []observe.Observer{o.metrics, o.sender}
	if settings, on := c.Traces.Resolve(a.getenv); on {
		if o.tracer, err = trace.New(ctx, settings, version, time.Now, d.log); err != nil {
			return nil, err
		}
		d.onClose(func() error { d.closeTracer(context.WithoutCancel(ctx)); return nil })
		all = append(all, o.tracer)
	}
	return observe.New(ctx, st, time.Now, all...)
}

// suggested tells the observers of a question to an algorithm.
func (o *observers) suggested(s tuner.Suggested) {
	o.metrics.Suggested(s)
	if o.tracer != nil {
		o.tracer.Suggested(s)
	}
}

// openSender makes the sender of webhooks, which sends nothing yet.
func (d *daemon) openSender(c *config, st *badger.Store) (*webhook.Sender, error) {
	secrets := c.Webhooks.Secrets
	if secrets == "" {
		secrets = filepath.Join(string(d.dir), "secrets")
	}
	return webhook.New(webhook.Config{
		Store: st, Dir: filepath.Join(string(d.dir), "webhooks"), Now: time.Now, Log: d.log,
		Hooks: c.Webhooks.Hooks, Secrets: secrets, Getenv: d.getenv, Allow: c.Webhooks.Allow, Source: experiment.MaskURL(c.Webhooks.Source),
		Delivered: func(outcome string) { d.observers.metrics.Delivered(outcome) },
		Record: func(ctx context.Context, key experiment.Key, reason, message string, warning bool) error {
			return d.tuner.Record(ctx, key, reason, message, warning)
		},
	})
}

// closeTracer sends the last traces. That they cannot be sent is logged, and is no failure of the daemon.
func (d *daemon) closeTracer(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastAnswers)
	defer cancel()
	if err := d.observers.tracer.Close(ctx); err != nil {
		d.log.Warn().Err(err).Msg("the last traces were not sent")
	}
}

// flushWebhooks gives the messages about the last events the time to arrive.
func (d *daemon) flushWebhooks(hurry context.Context) {
	if d.observers.sender == nil {
		return
	}
	ctx, cancel := context.WithTimeout(hurry, lastAnswers)
	defer cancel()
	d.observers.sender.Flush(ctx)
}

func slotsOf(runner *local.Runner) func() map[string]metrics.Slots {
	return func() map[string]metrics.Slots {
		used := runner.Used()
		return map[string]metrics.Slots{
			"cpu": {Used: used.CPUs, Total: runner.CPUs},
			"gpu": {Used: used.GPUs, Total: runner.GPUs},
		}
	}
}

func storageOf(st *badger.Store) func() (metrics.Storage, error) {
	return func() (metrics.Storage, error) {
		used, free, err := st.Usage()
		return metrics.Storage{Used: used, Free: free}, err
	}
}
