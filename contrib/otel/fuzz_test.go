package lkotel

import (
	"context"
	"errors"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// failing is a store whose acquires fail with an error of any bytes.
type failing struct {
	*memory.Backend
	text string
}

func (f failing) Start(op *backends.Op) backends.Work {
	if len(op.Acquire) > 0 && f.text != "" {
		op.Fail(errors.New(f.text))
		return nil
	}
	return f.Backend.Start(op)
}

// Whatever a name, a key or an error is: what spans and metrics say is text, which an exporter takes.
func FuzzAttributes(f *testing.F) {
	f.Add("db", "db", "")
	f.Add("\xff", "k\xfe", "e\xff")
	f.Add("\x00\n", "", "\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, name, key, text string) {
		m, o := observed(t, failing{memory.New(), text}, []Option{WithNames(func(string) (string, bool) { return key, key != "" })})
		if l, err := m.Lock(name).Acquire(t.Context()); err == nil {
			_ = l.Release()
		}
		check := func(kvs []attribute.KeyValue) {
			for _, kv := range kvs {
				if kv.Value.Type() == attribute.STRING && !utf8.ValidString(kv.Value.AsString()) {
					t.Fatalf("%s is %q", kv.Key, kv.Value.AsString())
				}
			}
		}
		for _, s := range o.spans.GetSpans() {
			check(s.Attributes)
			for _, e := range s.Events {
				check(e.Attributes)
			}
			if !utf8.ValidString(s.Status.Description) {
				t.Fatalf("the status is %q", s.Status.Description)
			}
		}
		var all metricdata.ResourceMetrics
		if err := o.reader.Collect(context.Background(), &all); err != nil {
			t.Fatal(err)
		}
		for _, s := range all.ScopeMetrics {
			for _, m := range s.Metrics {
				if h, ok := m.Data.(metricdata.Histogram[float64]); ok {
					for _, p := range h.DataPoints {
						check(p.Attributes.ToSlice())
					}
				}
			}
		}
	})
}
