package holders

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// Process is a process that holds the lock when it is told to.
type Process struct {
	*harness.Process
	events chan Event // closed when the process has ended
}

// Start starts one, and returns when it has connected.
func Start(s Spec) (*Process, error) {
	hp, err := harness.Start(partHold, s)
	if err != nil {
		return nil, err
	}
	const many = 1 << 10 // more than any process ever says
	p := &Process{hp, make(chan Event, many)}
	go func() {
		defer close(p.events)
		for {
			var e Event
			if hp.Receive(&e) != nil {
				return
			}
			p.events <- e
		}
	}()
	if e, err := p.Next(context.Background()); err != nil || e.What != Ready {
		p.Kill()
		return nil, errors.Join(fmt.Errorf("%s: no client", s.Library), err)
	}
	return p, nil
}

// Acquire tells the process to acquire, and to hold until it is told to release.
func (p *Process) Acquire() error { return p.Send(order{Do: acquire, Keep: true}) }

// Turn tells the process to acquire, and to hold for so long. Its events have the ID.
func (p *Process) Turn(id int, hold time.Duration) error {
	return p.Send(order{Do: acquire, ID: id, For: hold})
}

// Release tells the process to release.
func (p *Process) Release() error { return p.Send(order{Do: release}) }

// ErrEnded is returned for a process that says nothing any more.
var ErrEnded = errors.New("the process has ended")

// Next returns the next event.
func (p *Process) Next(ctx context.Context) (Event, error) {
	select {
	case e, ok := <-p.events:
		if !ok {
			return Event{}, ErrEnded
		}
		return e, nil
	case <-ctx.Done(): // an event that came at the same time is there for the next call
		return Event{}, ctx.Err()
	}
}

// Within returns the next event if it comes in so long.
func (p *Process) Within(ctx context.Context, d time.Duration) (e Event, ok bool, err error) {
	timed, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	e, err = p.Next(timed)
	if err != nil && timed.Err() != nil && ctx.Err() == nil {
		return e, false, nil
	}
	return e, err == nil, err
}

// Hold has the process acquire a lock that is free, and returns when it holds.
func (p *Process) Hold(ctx context.Context) (Event, error) {
	if err := p.Acquire(); err != nil {
		return Event{}, err
	}
	e, err := p.Next(ctx)
	if err == nil && e.What != Granted {
		err = fmt.Errorf("%s: %s", e.What, e.Err)
	}
	return e, err
}
