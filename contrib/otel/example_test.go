package lkotel_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	lkotel "github.com/lockkeeper/lockkeeper/contrib/otel"
	"github.com/lockkeeper/lockkeeper/manager"
)

func Example() {
	ctx := context.Background()
	exporter := tracetest.NewInMemoryExporter()                     // a program takes one for OTLP
	provider := trace.NewTracerProvider(trace.WithSyncer(exporter)) // and trace.WithBatcher
	tracer, err := lkotel.New(lkotel.WithTracerProvider(provider))
	if err != nil {
		fmt.Println(err)
		return
	}
	locks, err := manager.New(memory.New(), manager.WithTracer(tracer))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = locks.Close(ctx) }()

	ctx, request := provider.Tracer("shop").Start(ctx, "request")
	err = locks.Lock("stock").Do(ctx, func(context.Context) error { return nil })
	request.End()
	for _, s := range exporter.GetSpans() {
		fmt.Println(s.Name, s.Parent.SpanID() == request.SpanContext().SpanID())
	}
	fmt.Println(err)
	// Output:
	// lockkeeper.wait true
	// lockkeeper.hold true
	// request false
	// <nil>
}
