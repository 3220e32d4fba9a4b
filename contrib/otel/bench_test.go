package lkotel

import (
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
)

// A lease in memory that nobody else wants: with spans that are kept, with spans that are not
// sampled, and beside the same without a tracer.
func BenchmarkLease(b *testing.B) {
	tracer := func(s trace.Sampler) []manager.Option {
		t, err := New(WithTracerProvider(trace.NewTracerProvider(trace.WithSampler(s))),
			WithMeterProvider(metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))))
		if err != nil {
			b.Fatal(err)
		}
		return []manager.Option{manager.WithTracer(t)}
	}
	for _, way := range []struct {
		name string
		opts []manager.Option
	}{
		{"sampled", tracer(trace.AlwaysSample())}, {"not sampled", tracer(trace.NeverSample())}, {"no tracer", nil},
	} {
		b.Run(way.name, func(b *testing.B) {
			m, err := manager.New(memory.New(), way.opts...)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = m.Close(b.Context()) }()
			b.ReportAllocs()
			for b.Loop() {
				l, err := m.Lock("a").Acquire(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				_ = l.Release()
			}
		})
	}
}
