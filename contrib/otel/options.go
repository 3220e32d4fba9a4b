package lkotel

import (
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/lockkeeper/lockkeeper/internal/nils"
	"github.com/lockkeeper/lockkeeper/manager"
)

// An Option configures a Tracer. Options are made by the With functions.
type Option struct{ apply func(*config) error }

type config struct {
	traces  trace.TracerProvider
	metrics metric.MeterProvider
	key     func(name string) (key string, ok bool)
}

// WithTracerProvider has spans made by p. Default: the global provider.
func WithTracerProvider(p trace.TracerProvider) Option {
	return Option{func(c *config) error {
		c.traces = p
		return notNil("tracer provider", nils.Is(p))
	}}
}

// WithMeterProvider has metrics made by p. Default: the global provider.
func WithMeterProvider(p metric.MeterProvider) Option {
	return Option{func(c *config) error {
		c.metrics = p
		return notNil("meter provider", nils.Is(p))
	}}
}

// WithNames gives metrics the attribute lockkeeper.name: the key of the name, for names that have
// one. The function is one for [manager.WithHistory], for instance [manager.OnlyNames]. It must be
// quick and safe for concurrent use, and have few keys. Default: no names.
func WithNames(key func(name string) (key string, ok bool)) Option {
	return Option{func(c *config) error {
		c.key = key
		return notNil("names", key == nil)
	}}
}

func notNil(field string, isNil bool) error {
	if isNil {
		return &manager.InvalidError{Field: field, Value: nil, Want: "not nil"}
	}
	return nil
}
