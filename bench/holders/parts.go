package holders

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// The parts that processes play.
const (
	partHold   = "hold"
	partCancel = "cancel"
)

// Parts returns every part of this package, by name.
func Parts() map[string]harness.Part {
	return map[string]harness.Part{partHold: hold, partCancel: cancelled}
}

// order is what a process that holds is told.
type order struct {
	Do   verb
	ID   int           // acquire: is in the events of this turn
	For  time.Duration // acquire: release after so long
	Keep bool          // acquire: release when told
}

type verb string

const (
	acquire verb = "acquire"
	release verb = "release"
)

// Event is what such a process says.
type Event struct {
	ID    int
	What  What
	At    time.Duration // by harness.Now; of Ended and Stopped: when the holder last looked and could go on
	Token uint64        // of Granted
	Err   string        // of Refused and Released, and of Ended where the library says why
}

// What has happened.
type What string

// The events.
const (
	Ready    What = "ready"    // the process has connected
	Granted  What = "granted"  // it holds the lock
	Refused  What = "refused"  // Acquire failed
	Ended    What = "ended"    // the holder looked, and could not go on
	Stopped  What = "stopped"  // the holder was told to release, and is about to
	Released What = "released" // Release has returned
)

// look is how often a holder looks whether it may go on: each time it would write to what the lock protects.
const look = time.Millisecond

// player is a process that holds.
type player struct {
	pipe  *harness.Pipe
	mu    sync.Mutex // one event at a time
	lock  Locker
	going sync.WaitGroup
}

// hold acquires and releases as it is told, and says when it learns that it has lost the lock.
func hold(ctx context.Context, pipe *harness.Pipe) error {
	var s Spec
	if err := pipe.Receive(ctx, &s); err != nil {
		return err
	}
	lock, err := Open(s)
	if err != nil {
		return err
	}
	p := &player{pipe: pipe, lock: lock}
	p.say(Event{What: Ready})
	releases := make(chan struct{}, 1)
	for {
		var o order
		if err := pipe.Receive(ctx, &o); err != nil {
			if ctx.Err() == nil { // no order that we know
				return err
			}
			p.going.Wait()
			return lock.Close()
		}
		switch o.Do {
		case acquire:
			p.going.Go(func() { p.turn(ctx, o, releases) })
		case release:
			releases <- struct{}{}
		default:
			return fmt.Errorf("no order %q", o.Do)
		}
	}
}

// say tells the parent. One that has gone ends this process by other means.
func (p *player) say(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.pipe.Send(e)
}

// turn is one turn of a holder, from its request to its release.
func (p *player) turn(ctx context.Context, o order, releases <-chan struct{}) {
	l, err := p.lock.Acquire(ctx)
	at := harness.Now()
	if err != nil {
		p.say(Event{ID: o.ID, What: Refused, At: at, Err: err.Error()})
		return
	}
	p.say(Event{ID: o.ID, What: Granted, At: at, Token: l.Token()})
	var over <-chan time.Time
	if !o.Keep {
		over = time.After(o.For)
	}
	p.say(Event{What: Stopped, At: p.use(ctx, l, at, over, releases)})
	e := Event{What: Released, At: harness.Now()}
	if err := l.Release(); err != nil {
		e.Err = err.Error()
	}
	p.say(e)
}

// use goes on for as long as the holder may and is not told to release, and returns when it last could. A holder that
// may not go on says so, and waits until it is told to release.
func (p *player) use(
	ctx context.Context, l Lease, last time.Duration, over <-chan time.Time, releases <-chan struct{},
) time.Duration {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for lost := false; ; {
		select {
		case <-over:
			return last
		case <-releases:
			return last
		case <-ctx.Done(): // the parent has gone
			return last
		case <-tick.C:
		}
		now := harness.Now() // before the look: nobody can do better than to look, and then to write
		switch {
		case lost:
		case l.Valid():
			last = now
		default:
			lost = true
			p.say(Event{What: Ended, At: last, Err: why(l)})
		}
	}
}

// why returns what the library says about a lost lease.
func why(l Lease) string {
	if l, ok := l.(interface{ Err() error }); ok && l.Err() != nil {
		return l.Err().Error()
	}
	return ""
}
