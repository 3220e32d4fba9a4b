package clients

import (
	"context"
	"errors"
	"sync"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// partHerd is the part of [herd].
const partHerd = "herd"

// herd has many goroutines that each want the lock once. It says when it has started them and when all have had it.
func herd(ctx context.Context, p *harness.Pipe) error {
	c, t, err := begin(ctx, p)
	if err != nil {
		return err
	}
	errs := make([]error, t.Goroutines)
	var wg sync.WaitGroup
	for i := range errs {
		g := c.Handle()
		wg.Go(func() {
			if errs[i] = g.Acquire(ctx); errs[i] == nil {
				errs[i] = g.Release()
			}
		})
	}
	if err := p.Send("started"); err != nil {
		return err
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := p.Send("done"); err != nil {
		return err
	}
	var end string // stay connected until the counters have been read
	if err := p.Receive(ctx, &end); err != nil && ctx.Err() == nil {
		return err
	}
	return c.Close()
}

// Herds are processes with many goroutines that each want one lock once.
type Herds []*harness.Process

// StartHerds starts them, and returns when every goroutine has been started.
func StartHerds(s Spec, processes, goroutines int) (Herds, error) {
	return startHerds(partHerd, task{Spec: s, Goroutines: goroutines}, processes)
}

// startHerds starts processes that play the part, and returns when each has said its first word.
func startHerds(part string, t task, processes int) (Herds, error) {
	var h Herds
	for range processes {
		p, err := harness.Start(part, t)
		if err != nil {
			h.Kill()
			return nil, err
		}
		h = append(h, p)
	}
	return h, h.Wait()
}

// Wait waits for the next word of each.
func (h Herds) Wait() error {
	for _, p := range h {
		var word string
		if err := p.Receive(&word); err != nil {
			return err
		}
	}
	return nil
}

// Close ends them all in the proper way.
func (h Herds) Close() error {
	var errs []error
	for _, p := range h {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// Kill ends them all at once.
func (h Herds) Kill() {
	for _, p := range h {
		p.Kill()
	}
}
