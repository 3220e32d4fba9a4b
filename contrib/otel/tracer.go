package lkotel

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/lockkeeper/lockkeeper/manager"
)

const scope = "github.com/lockkeeper/lockkeeper/contrib/otel"

// A Tracer makes spans and metrics of what managers tell it. Make it with New and give it to
// [manager.WithTracer], of any number of managers. It is safe for concurrent use.
type Tracer struct {
	tracer trace.Tracer
	key    func(name string) (key string, ok bool)
	instruments
}

var (
	_ manager.Tracer        = (*Tracer)(nil)
	_ manager.LeaseTracer   = (*Tracer)(nil)
	_ manager.HandoffTracer = (*Tracer)(nil)
	_ manager.RenewalTracer = (*Tracer)(nil)
)

// New returns a tracer. The error is a *manager.InvalidError, or that of a meter provider.
func New(opts ...Option) (*Tracer, error) {
	c := config{traces: otel.GetTracerProvider(), metrics: otel.GetMeterProvider()}
	for _, o := range opts {
		if o.apply == nil {
			return nil, &manager.InvalidError{Field: "option", Value: "zero", Want: "one made by a With function"}
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	instruments, err := makeInstruments(c.metrics.Meter(scope))
	if err != nil {
		return nil, err
	}
	return &Tracer{tracer: c.traces.Tracer(scope), key: c.key, instruments: instruments}, nil
}

// TraceAcquireStart begins the wait.
func (t *Tracer) TraceAcquireStart(ctx context.Context, d manager.TraceAcquireStart) context.Context {
	a := &acquire{begin: time.Now(), start: d, caller: ctx}
	a.labels = t.labels(&d)
	a.labelled = metric.WithAttributeSet(attribute.NewSet(a.labels...))
	a.waitCtx, a.wait = t.tracer.Start(ctx, "lockkeeper.wait", trace.WithAttributes(named(&d)...))
	if a.wait.IsRecording() {
		a.wait.SetAttributes(described(&d, d.Site())...)
		a.wait.SetAttributes(attribute.Bool("lockkeeper.try", d.Try))
	}
	t.pending.Add(a.waitCtx, 1, a.labelled)
	return context.WithValue(ctx, acquireKey{}, a)
}

// TraceAcquireEnd ends the wait. If it has a lease, the hold begins.
func (t *Tracer) TraceAcquireEnd(ctx context.Context, d manager.TraceAcquireEnd) {
	a := acquireOf(ctx)
	result := attribute.String("lockkeeper.result", resultOf(a.caller, d.Err))
	t.pending.Add(a.waitCtx, -1, a.labelled)
	t.waits.Record(a.waitCtx, time.Since(a.begin).Seconds(), a.measured(result))
	a.wait.SetAttributes(result)
	if d.Err != nil {
		a.wait.RecordError(cleanError(d.Err))
		if r := result.Value.AsString(); r == failed || r == timedOut {
			a.wait.SetStatus(codes.Error, clean(d.Err.Error()))
		}
		a.wait.End()
		return
	}
	a.wait.End()
	ctx, hold := t.tracer.Start(a.caller, "lockkeeper.hold", trace.WithAttributes(named(&a.start)...),
		trace.WithLinks(trace.LinkFromContext(a.waitCtx)))
	if hold.IsRecording() {
		hold.SetAttributes(described(&a.start, d.Site())...)
		if a.start.Kind != 0 { // an All has no token
			hold.SetAttributes(attribute.Int64("lockkeeper.token", int64(d.Lease.Token())))
		}
	}
	t.held.Add(ctx, 1, a.labelled)
	a.holds(ctx, hold)
}

// TraceLeaseEnd ends the hold.
func (t *Tracer) TraceLeaseEnd(ctx context.Context, d manager.TraceLeaseEnd) {
	a := acquireOf(ctx)
	a.onHold(func(ctx context.Context, hold trace.Span) {
		end := attribute.String("lockkeeper.end", endOf(d.Err))
		t.held.Add(ctx, -1, a.labelled)
		t.uses.Record(ctx, d.Held.Seconds(), a.measured(end))
		hold.SetAttributes(end)
		if end.Value.AsString() != released {
			hold.RecordError(cleanError(d.Err))
			hold.SetStatus(codes.Error, clean(d.Err.Error()))
		}
		hold.End()
	})
}

// TraceHandoff notes that the hold began with a hand-off.
func (t *Tracer) TraceHandoff(ctx context.Context, _ manager.TraceHandoff) {
	acquireOf(ctx).onHold(func(_ context.Context, hold trace.Span) {
		hold.SetAttributes(attribute.Bool("lockkeeper.handoff", true))
	})
}

// TraceRenewalFailed notes a renewal that failed.
func (t *Tracer) TraceRenewalFailed(ctx context.Context, d manager.TraceRenewalFailed) {
	at := trace.WithTimestamp(time.Now())
	acquireOf(ctx).onHold(func(_ context.Context, hold trace.Span) {
		hold.AddEvent("renewal failed", at, trace.WithAttributes(
			attribute.String("lockkeeper.name", clean(d.Name)), // the part of an All
			attribute.String("error.message", clean(d.Err.Error())),
			attribute.String("lockkeeper.valid_until", d.ValidUntil.Format(time.RFC3339Nano))))
	})
}

// labels returns the attributes of the metrics of an acquire.
func (t *Tracer) labels(d *manager.TraceAcquireStart) []attribute.KeyValue {
	if t.key != nil {
		if key, ok := t.key(d.Name); ok {
			return []attribute.KeyValue{kind(d), attribute.String("lockkeeper.name", clean(key))}
		}
	}
	return []attribute.KeyValue{kind(d)}
}

func kind(d *manager.TraceAcquireStart) attribute.KeyValue {
	if d.Kind == 0 {
		return attribute.String("lockkeeper.kind", "all")
	}
	return attribute.String("lockkeeper.kind", d.Kind.String())
}

// named returns the attributes of spans that a sampler sees.
func named(d *manager.TraceAcquireStart) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("lockkeeper.name", clean(d.Name)), kind(d)}
}

// described returns those that only spans that are recorded have: for others the site is not looked
// up.
func described(d *manager.TraceAcquireStart, at manager.Site) []attribute.KeyValue {
	var kvs []attribute.KeyValue
	if d.Kind != 0 {
		kvs = append(kvs, attribute.Int64("lockkeeper.weight", d.Weight),
			attribute.Int64("lockkeeper.capacity", d.Capacity))
	}
	site := at.String()
	if i := strings.LastIndexByte(site, ':'); i > 0 {
		if line, err := strconv.Atoi(site[i+1:]); err == nil {
			kvs = append(kvs, attribute.String("code.file.path", site[:i]), attribute.Int("code.line.number", line))
		}
	}
	return kvs
}

// clean returns the value of an attribute for s: OTLP takes only UTF-8.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// cleanError is err, with a text that OTLP takes: an exporter loses a whole batch for one that is not
// UTF-8. A store may fail with any bytes.
func cleanError(err error) error {
	if utf8.ValidString(err.Error()) {
		return err
	}
	return cleanedError{err}
}

type cleanedError struct{ error }

func (e cleanedError) Error() string { return clean(e.error.Error()) }
