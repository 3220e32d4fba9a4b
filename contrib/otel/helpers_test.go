package lkotel

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/manager"
)

// telemetry is what a Tracer has written.
type telemetry struct {
	spans  *tracetest.InMemoryExporter
	reader *metric.ManualReader
	tracer api.Tracer // of callers
	under  *Tracer    // the one under test
	only   api.TraceID
}

// observed returns a manager that is traced.
func observed(t testing.TB, b backends.Backend, opts []Option, more ...manager.Option) (*manager.Manager, *telemetry) {
	t.Helper()
	o := &telemetry{spans: tracetest.NewInMemoryExporter(), reader: metric.NewManualReader()}
	traces := trace.NewTracerProvider(trace.WithSyncer(o.spans)) // in memory, so it holds nothing up
	o.tracer = traces.Tracer("test")
	tracer, err := New(append([]Option{
		WithTracerProvider(traces), WithMeterProvider(metric.NewMeterProvider(metric.WithReader(o.reader))),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	o.under = tracer
	m, err := manager.New(b, append(more, manager.WithTracer(tracer))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(context.Background()) })
	return m, o
}

// named returns the ended spans of that name with that name of a lock, of the only trace if there is
// one.
func (o *telemetry) named(span, lock string) tracetest.SpanStubs {
	return slices.DeleteFunc(o.spans.GetSpans(), func(s tracetest.SpanStub) bool {
		if o.only.IsValid() && s.SpanContext.TraceID() != o.only {
			return true
		}
		return s.Name != span || attr(s.Attributes, "lockkeeper.name") != lock
	})
}

// one is named for exactly one span.
func (o *telemetry) one(t testing.TB, span, lock string) tracetest.SpanStub {
	t.Helper()
	s := o.named(span, lock)
	if len(s) != 1 {
		t.Fatalf("%d spans %s of %s", len(s), span, lock)
	}
	return s[0]
}

func attr(kvs []attribute.KeyValue, key attribute.Key) string {
	for _, kv := range kvs {
		if kv.Key == key {
			return fmt.Sprint(kv.Value.AsInterface())
		}
	}
	return ""
}

// figures returns the metrics: counters by name and attributes, histograms with their count and sum.
func (o *telemetry) figures(t testing.TB) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := o.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	figures := make(map[string]float64)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					figures[m.Name+" "+m.Unit+" "+p.Attributes.Encoded(attribute.DefaultEncoder())] = float64(p.Value)
				}
				if d.IsMonotonic {
					t.Errorf("%s is a counter", m.Name)
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					key := m.Name + " " + m.Unit + " " + p.Attributes.Encoded(attribute.DefaultEncoder())
					figures[key], figures[key+" count"] = p.Sum, float64(p.Count)
				}
			default:
				t.Errorf("%s is a %T", m.Name, d)
			}
		}
	}
	return figures
}

func acquireIt(t testing.TB, ctx context.Context, c manager.Claim) *manager.Lease {
	t.Helper()
	l, err := c.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func release(t testing.TB, ls ...*manager.Lease) {
	t.Helper()
	for _, l := range ls {
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
}
