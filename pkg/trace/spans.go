package trace

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// send makes the spans of a trial that has ended, with the times that they had:
//
//	trial
//	├── suggest       the algorithm was asked
//	├── queue         from there to the start
//	├── run           the workload
//	│   └── first metric
//	└── done          from the workload's end until the result was durable
//
// What is not known, for the daemon was restarted meanwhile, is left out.
func (t *Tracer) send(e *experiment.Experiment, trial *experiment.Trial, r record) {
	now := t.now()
	begin := trial.Created
	if !r.suggested.Began.IsZero() {
		begin = r.suggested.Began
	}
	of := named(e.Metadata.UID, trial.Number)
	root, span := t.tracer.Start(of.in(context.Background(), "trial"), "trial", api.WithNewRoot(),
		api.WithTimestamp(begin), api.WithAttributes(attributes(e, trial)...))
	if s := r.suggested; !s.Began.IsZero() {
		t.span(of.in(root, "suggest"), "suggest", s.Began, s.Began.Add(s.Took), attribute.String("tuned.algorithm", s.Algorithm))
	}
	if !trial.Started.IsZero() {
		t.span(of.in(root, "queue"), "queue", trial.Created, trial.Started)
		run := t.span(of.in(root, "run"), "run", trial.Started, trial.Finished, attribute.Int("tuned.attempt", trial.Attempt))
		if !r.measured.IsZero() {
			t.span(of.in(run, "first metric"), "first metric", trial.Started, r.measured)
		}
	}
	t.span(of.in(root, "done"), "done", trial.Finished, now)
	if failed(trial.State) {
		span.SetStatus(codes.Error, trial.Reason)
	}
	span.End(api.WithTimestamp(later(begin, now)))
}

// span makes a span that is over, and returns the context of its children.
func (t *Tracer) span(ctx context.Context, name string, from, to time.Time, a ...attribute.KeyValue) context.Context {
	ctx, span := t.tracer.Start(ctx, name, api.WithTimestamp(from), api.WithAttributes(a...))
	span.End(api.WithTimestamp(later(from, to)))
	return ctx
}

// later is the later one of two moments: a clock may have been set back.
func later(a, b time.Time) time.Time {
	if b.Before(a) {
		return a
	}
	return b
}

func failed(s experiment.TrialState) bool {
	return s == experiment.TrialFailed || s == experiment.TrialMetricsUnavailable
}

// attributes are those of a trial.
func attributes(e *experiment.Experiment, t *experiment.Trial) []attribute.KeyValue {
	out := []attribute.KeyValue{
		attribute.String("tuned.namespace", e.Metadata.Namespace),
		attribute.String("tuned.experiment", e.Metadata.Name),
		attribute.String("tuned.experiment.uid", e.Metadata.UID),
		attribute.String("tuned.trial", t.Name),
		attribute.Int64("tuned.trial.number", int64(t.Number)),
		attribute.String("tuned.trial.state", string(t.State)),
		attribute.String("tuned.trial.reason", t.Reason),
		attribute.String("tuned.trial.message", cut(t.Message)),
	}
	for _, p := range t.Assignment {
		out = append(out, attribute.String("tuned.parameter."+p.Name, p.Value))
	}
	for _, m := range t.Observation.Metrics {
		if v, err := strconv.ParseFloat(m.Latest, 64); err == nil {
			out = append(out, attribute.Float64("tuned.metric."+m.Name, v))
		}
	}
	return out
}

// cut shortens a text.
func cut(text string) string {
	const most = 1024
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " ..."
}

// identity is that of a trial's trace. Traces and spans have identifiers that are functions of the
// experiment and the trial's number, so that nobody needs to keep them.
type identity struct {
	uid    string
	number uint64
	span   string
}

type identityKey struct{}

func named(uid string, number uint64) identity { return identity{uid: uid, number: number} }

// in returns a context in which the next span is the named one of the trial.
func (i identity) in(ctx context.Context, span string) context.Context {
	i.span = span
	return context.WithValue(ctx, identityKey{}, i)
}

// identities makes identifiers of what the context names.
type identities struct{}

var _ sdk.IDGenerator = identities{}

// NewIDs implements sdk.IDGenerator.
func (g identities) NewIDs(ctx context.Context) (id api.TraceID, span api.SpanID) {
	i, _ := ctx.Value(identityKey{}).(identity)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", i.uid, i.number))
	copy(id[:], sum[:])
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID implements sdk.IDGenerator.
func (identities) NewSpanID(ctx context.Context, _ api.TraceID) (span api.SpanID) {
	i, _ := ctx.Value(identityKey{}).(identity)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%s", i.uid, i.number, i.span))
	copy(span[:], sum[:])
	return span
}
