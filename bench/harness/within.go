package harness

import (
	"context"
	"time"
)

// Within calls fn with a context that ends after d.
func Within(d time.Duration, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return fn(ctx)
}
