package harness

import (
	"context"
	"errors"
)

// Body makes a loop of operations, which it counts, and what undoes it.
type Body = func(ctx context.Context, ops *int) (loop func(context.Context, int) error, shut func() error, err error)

// Around measures operations as [Loop] does, reads something before them and after them, and adds what follows. The
// operations that find out how many fit into the window are between the two as well, and so they are in the number.
func Around[T any](
	of Body, read func(context.Context) (T, error), add func(m Metrics, before, after T, ops float64),
) func(context.Context, Budget) (Metrics, error) {
	return func(ctx context.Context, b Budget) (_ Metrics, err error) {
		ops := 0
		loop, shut, err := of(ctx, &ops)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, shut()) }()
		if err := loop(ctx, 1); err != nil { // connects
			return nil, err
		}
		ops = 0
		before, err := read(ctx)
		if err != nil {
			return nil, err
		}
		m, err := Loop(loop)(ctx, b)
		if err != nil {
			return nil, err
		}
		after, err := read(ctx)
		if err != nil {
			return nil, err
		}
		add(m, before, after, float64(ops))
		return m, nil
	}
}
