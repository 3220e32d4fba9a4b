package clients

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// The parts that processes play.
const (
	partObey     = "obey"
	partPingPong = "pingpong"
	partCrowd    = "crowd"
)

// Parts returns every part of this package, by name.
func Parts() map[string]harness.Part {
	return map[string]harness.Part{
		partObey: obey, partPingPong: pingPong, partCrowd: crowd, partHerd: herd, partQueue: queue,
	}
}

// order is what a process that obeys is told.
type order string

const (
	acquire order = "acquire"
	release order = "release"
)

// Done is its answer.
type Done struct {
	At  time.Duration // harness.Now: when acquire returned, or when release was called
	CPU time.Duration // of the whole process, in the meantime
	For time.Duration // wall time in the meantime
	Err string
}

// obey acquires and releases as it is told.
func obey(ctx context.Context, p *harness.Pipe) error {
	c, _, err := begin(ctx, p)
	if err != nil {
		return err
	}
	g := c.Handle()
	if err := p.Send(Done{}); err != nil { // ready
		return err
	}
	for {
		var o order
		if err := p.Receive(ctx, &o); err != nil {
			if ctx.Err() != nil { // the parent let go: the proper end
				return c.Close()
			}
			return errors.Join(err, c.Close())
		}
		var d Done
		before, start := cpu(), harness.Now()
		switch o {
		case acquire:
			err = g.Acquire(ctx)
			d.At = harness.Now()
		case release:
			d.At = start
			err = g.Release()
		default:
			err = fmt.Errorf("no order %q", o)
		}
		d.CPU, d.For = cpu()-before, harness.Now()-start
		if err != nil {
			d.Err = err.Error()
		}
		if err := p.Send(d); err != nil {
			return err
		}
	}
}

// task is what a part gets as arguments.
type task struct {
	Spec
	Rounds     int           // ping-pong
	Hold       time.Duration // ping-pong
	Goroutines int           // crowd
	Budget     harness.Budget
}

// Turn is one grant of a ping-pong: when it came and when it was given back, by harness.Now.
type Turn struct{ Acquired, Released time.Duration }

// pingPong takes the lock a number of times, each time for a while, and stands in the queue again a
// moment after it gave it back.
func pingPong(ctx context.Context, p *harness.Pipe) error {
	c, t, err := begin(ctx, p)
	if err != nil {
		return err
	}
	if err := ready(ctx, p); err != nil {
		return err
	}
	g := c.Handle()
	turns := make([]Turn, t.Rounds)
	for i := range turns {
		if err := g.Acquire(ctx); err != nil {
			return err
		}
		turns[i].Acquired = harness.Now()
		time.Sleep(t.Hold)
		turns[i].Released = harness.Now()
		if err := g.Release(); err != nil {
			return err
		}
		time.Sleep(t.Hold / 3) // a peer that polls gets its chance
	}
	return errors.Join(p.Send(turns), c.Close())
}

// crowd contends with many goroutines, once it has had the lock: it is connected then.
func crowd(ctx context.Context, p *harness.Pipe) error {
	c, t, err := begin(ctx, p)
	if err != nil {
		return err
	}
	g := c.Handle()
	if err := g.Acquire(ctx); err != nil {
		return err
	}
	if err := g.Release(); err != nil {
		return err
	}
	if err := ready(ctx, p); err != nil {
		return err
	}
	shares, err := harness.Contend(ctx, t.Goroutines, c.Handle, t.Budget)
	if err != nil {
		return err
	}
	if err := p.Send(shares); err != nil {
		return err
	}
	var end string // stay connected until the counters have been read
	if err := p.Receive(ctx, &end); err != nil && ctx.Err() == nil {
		return err
	}
	return c.Close()
}

// begin receives the task and opens the client.
func begin(ctx context.Context, p *harness.Pipe) (Client, task, error) {
	var t task
	if err := p.Receive(ctx, &t); err != nil {
		return Client{}, t, err
	}
	c, err := Open(ctx, t.Spec)
	return c, t, err
}

// ready tells the parent so, and waits for its word.
func ready(ctx context.Context, p *harness.Pipe) error {
	if err := p.Send("ready"); err != nil {
		return err
	}
	var word string
	return p.Receive(ctx, &word)
}

// cpu returns the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
