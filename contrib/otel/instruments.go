package lkotel

import (
	"errors"

	"go.opentelemetry.io/otel/metric"
)

// instruments are the metrics.
type instruments struct {
	pending, held metric.Int64UpDownCounter
	waits, uses   metric.Float64Histogram
}

// bounds of durations in seconds: locks in memory take microseconds, jobs minutes.
var bounds = []float64{1e-6, 1e-5, 1e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1, 5, 10, 60, 600}

func makeInstruments(m metric.Meter) (instruments, error) {
	pending, err1 := m.Int64UpDownCounter("lockkeeper.lease.pending_requests",
		metric.WithUnit("{request}"), metric.WithDescription("Acquires that have not returned."))
	held, err2 := m.Int64UpDownCounter("lockkeeper.lease.count",
		metric.WithUnit("{lease}"), metric.WithDescription("Leases held."))
	waits, err3 := m.Float64Histogram("lockkeeper.lease.wait_time", metric.WithUnit("s"),
		metric.WithDescription("How long acquires took."), metric.WithExplicitBucketBoundaries(bounds...))
	uses, err4 := m.Float64Histogram("lockkeeper.lease.use_time", metric.WithUnit("s"),
		metric.WithDescription("How long leases were held."), metric.WithExplicitBucketBoundaries(bounds...))
	return instruments{pending, held, waits, uses}, errors.Join(err1, err2, err3, err4)
}
