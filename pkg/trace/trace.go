// Package trace sends one OpenTelemetry trace per trial over OTLP, once the trial has ended: when it was
// suggested, how long it waited and ran, when its first metric came. It is off unless it is given
// somewhere to send to. docs/monitoring.md says what is in a trace.
package trace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// Settings are what the daemon's configuration says of traces. The variables OTEL_* of OpenTelemetry
// say the rest, and stand in for what is empty.
type Settings struct {
	Endpoint string `json:"endpoint,omitempty"` // URL of a collector
	Protocol string `json:"protocol,omitempty"` // http/protobuf, which is the default, or grpc
}

// Validate reports what cannot be.
func (s *Settings) Validate() error {
	if s.Protocol != "" && s.Protocol != overHTTP && s.Protocol != overGRPC {
		return fmt.Errorf("traces.protocol: want %s or %s, got %q", overHTTP, overGRPC, s.Protocol)
	}
	if u, err := url.Parse(s.Endpoint); s.Endpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("traces.endpoint: want the URL of a collector, such as http://localhost:4318/v1/traces")
	}
	return nil
}

// The protocols.
const (
	overHTTP = "http/protobuf"
	overGRPC = "grpc"
)

// Resolve fills in the settings from the environment, and reports whether traces are wanted. Variables
// that the exporter reads by itself are left to it.
func (s Settings) Resolve(getenv func(string) string) (resolved Settings, on bool) {
	s.Protocol = cmp.Or(s.Protocol, getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), overHTTP)
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || getenv("OTEL_TRACES_EXPORTER") == "none" {
		return s, false
	}
	target := cmp.Or(s.Endpoint, getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
	return s, target != "" || getenv("OTEL_TRACES_EXPORTER") == "otlp"
}

// Tracer is an observe.Observer that sends traces.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   api.Tracer
	now      func() time.Time

	mu     sync.Mutex
	active map[experiment.Key]map[uint64]*record
}

// record is what is known of a trial that has not ended, beside what is stored.
type record struct {
	suggested tuner.Suggested // Began is zero when it was not suggested in this life of the daemon
	measured  time.Time       // when the first measurement was durable; zero before
}

// New returns a tracer that sends as the settings, see Settings.Resolve, and the environment say. Spans
// that cannot be sent are dropped, and logged: nobody waits for a collector.
func New(ctx context.Context, s Settings, version string, now func() time.Time, log zerolog.Logger) (*Tracer, error) {
	exporter, err := s.exporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "tuned-hpo"), attribute.String("service.version", version),
	), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	// The library has no other place for its errors than this one.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn().Err(err).Msg("traces cannot be sent") }))
	t := &Tracer{now: now, active: map[experiment.Key]map[uint64]*record{}}
	t.provider = sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithIDGenerator(identities{}), sdk.WithResource(about))
	t.tracer = t.provider.Tracer("github.com/tuned-hpo/tuned")
	return t, nil
}

func (s Settings) exporter(ctx context.Context) (sdk.SpanExporter, error) {
	switch s.Protocol {
	case overGRPC:
		var o []otlptracegrpc.Option
		if s.Endpoint != "" {
			o = append(o, otlptracegrpc.WithEndpointURL(s.Endpoint))
		}
		return otlptracegrpc.New(ctx, o...)
	case overHTTP:
		var o []otlptracehttp.Option
		if s.Endpoint != "" {
			o = append(o, otlptracehttp.WithEndpointURL(s.Endpoint))
		}
		return otlptracehttp.New(ctx, o...)
	}
	return nil, fmt.Errorf("protocol: want %s or %s, got %q", overHTTP, overGRPC, s.Protocol)
}

// Close sends what was not sent yet, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("traces: %w", err)
	}
	return nil
}

// Suggested notes when trials were suggested. It is for tuner.Config.Suggested.
func (t *Tracer) Suggested(s tuner.Suggested) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, number := range s.Numbers {
		if r := t.active[s.Experiment][number]; r != nil {
			r.suggested = s
		}
	}
}

// Found has nothing to note.
func (t *Tracer) Found(*experiment.Experiment) {}

// Experiment forgets the trials of one that is deleted.
func (t *Tracer) Experiment(before, after *experiment.Experiment) {
	if after == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.active, before.Key())
	}
}

// Trial notes a new trial, and sends the trace of one that has ended.
func (t *Tracer) Trial(e *experiment.Experiment, before, after *experiment.Trial) {
	switch {
	case after.State.Final() && (before == nil || !before.State.Final()):
		t.send(e, after, t.take(e.Key(), after.Number))
	case before == nil:
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.active[e.Key()] == nil {
			t.active[e.Key()] = map[uint64]*record{}
		}
		t.active[e.Key()][after.Number] = &record{}
	}
}

// take returns what is known of a trial, and forgets it.
func (t *Tracer) take(key experiment.Key, number uint64) record {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.active[key][number]
	delete(t.active[key], number)
	if len(t.active[key]) == 0 {
		delete(t.active, key)
	}
	if r == nil {
		return record{}
	}
	return *r
}

// Measured notes when the first measurement of a trial came.
func (t *Tracer) Measured(s experiment.Stream, first uint64, _ int) {
	if first != 1 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.active[s.Experiment][s.Number]; r != nil && r.measured.IsZero() {
		r.measured = t.now()
	}
}

// Events has nothing to note.
func (t *Tracer) Events(experiment.Key, int) {}

// Wrote has nothing to note.
func (t *Tracer) Wrote(string, time.Duration) {}
