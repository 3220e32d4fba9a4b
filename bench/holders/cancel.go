package holders

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// Trials is what a process is told that cancels its acquires.
type Trials struct {
	Spec
	N int // how many
}

// Left is what they left behind.
type Left struct {
	Trials     int // that were made: after ten locks that nobody holds there are no more
	Cancelled  int // of them; the others were granted in time
	Late       int // after so many the next acquire took longer than Soon
	Longest    time.Duration
	Stuck      bool // the last of them was not granted in several times the time to live, and was given up
	Goroutines int  // more than before
	Err        string
}

// Soon is longer than a free lock takes to be acquired by any library, one that missed it once included.
const Soon = 500 * time.Millisecond

// Cancel starts a process that cancels acquires at random moments. It calls begin when the process has used the lock
// once, and end when the process is done with the acquires and still connected.
func Cancel(t Trials, begin, end func() error) (l Left, err error) {
	p, err := harness.Start(partCancel, t)
	if err != nil {
		return l, err
	}
	defer p.Kill()
	var word string
	if err := p.Receive(&word); err != nil {
		return l, err
	}
	if err := errors.Join(begin(), p.Send("go"), p.Receive(&l)); err != nil {
		return l, err
	}
	if l.Err != "" {
		return l, errors.New(l.Err)
	}
	return l, errors.Join(end(), p.Close())
}

// trial is the state of a process that cancels its acquires.
type trial struct {
	subject Locker // whose acquires are cancelled
	prober  Locker // a client of its own, which acquires after each of them
	window  time.Duration

	patience time.Duration
	left     Left
}

// cancelled plays the part of [Cancel].
func cancelled(ctx context.Context, pipe *harness.Pipe) error {
	var t Trials
	if err := pipe.Receive(ctx, &t); err != nil {
		return err
	}
	var tr trial
	var err error
	if tr.subject, err = Open(t.Spec); err != nil {
		return err
	}
	if tr.prober, err = Open(t.Spec); err != nil {
		return err
	}
	if err := tr.warm(ctx); err != nil {
		return err
	}
	if err := pipe.Send("ready"); err != nil {
		return err
	}
	var word string
	if err := pipe.Receive(ctx, &word); err != nil {
		return err
	}
	before := runtime.NumGoroutine()
	tr.patience = 3 * t.TTL
	for i := 0; i < t.N && tr.left.Late < 10 && !tr.left.Stuck && err == nil; i++ {
		tr.left.Trials++
		err = tr.once(ctx, i%2 == 1)
	}
	if err != nil {
		tr.left.Err = err.Error()
	}
	tr.left.Goroutines = settled(before)
	if err := pipe.Send(tr.left); err != nil {
		return err
	}
	if err := pipe.Receive(ctx, &word); err != nil && ctx.Err() == nil {
		return err
	}
	return errors.Join(tr.subject.Close(), tr.prober.Close())
}

// warm uses both clients, and measures how long a free lock takes.
func (t *trial) warm(ctx context.Context) error {
	var took []time.Duration
	for range 20 {
		for _, l := range []Locker{t.subject, t.prober} {
			start := time.Now()
			held, err := l.Acquire(ctx)
			if err != nil {
				return err
			}
			took = append(took, time.Since(start))
			if err := held.Release(); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(took, cmp.Compare)
	t.window = 2 * took[len(took)/2]
	return errors.Join(behind(ctx, t.subject, t.prober), behind(ctx, t.prober, t.subject))
}

// behind has one client wait for the other: what it needs for that it keeps.
func behind(ctx context.Context, first, second Locker) error {
	held, err := first.Acquire(ctx)
	if err != nil {
		return err
	}
	released := make(chan error, 1)
	time.AfterFunc(100*time.Millisecond, func() { released <- held.Release() })
	next, err := second.Acquire(ctx)
	if err != nil {
		return err
	}
	return errors.Join(<-released, next.Release())
}

// once cancels one acquire at a random moment, of a lock that is free or of one that is released at
// another random moment, and then has the other client acquire.
func (t *trial) once(ctx context.Context, taken bool) error {
	released := make(chan error, 1)
	released <- nil
	if taken {
		held, err := t.prober.Acquire(ctx)
		if err != nil {
			return err
		}
		<-released
		time.AfterFunc(t.moment(), func() { released <- held.Release() })
	}
	if err := t.cancelOne(ctx); err != nil {
		return err
	}
	if err := <-released; err != nil {
		return fmt.Errorf("release: %w", err)
	}
	probe, cancel := context.WithTimeout(ctx, t.patience)
	defer cancel()
	start := time.Now()
	held, err := t.prober.Acquire(probe)
	if err != nil && probe.Err() == nil {
		return err
	}
	took := time.Since(start)
	t.left.Longest = max(t.left.Longest, took)
	if took > Soon {
		t.left.Late++
	}
	if err != nil {
		t.left.Stuck = true
		return nil
	}
	return held.Release()
}

func (t *trial) cancelOne(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(t.moment(), cancel)
	defer timer.Stop()
	held, err := t.subject.Acquire(ctx)
	if err == nil {
		return held.Release()
	}
	if ctx.Err() == nil {
		return err
	}
	t.left.Cancelled++
	return nil
}

func (t *trial) moment() time.Duration { return rand.N(t.window) }

// settled returns how many goroutines there are more than before, when they have had the time to end.
func settled(before int) (more int) {
	for range 100 {
		if more = runtime.NumGoroutine() - before; more <= 0 {
			return 0
		}
		time.Sleep(50 * time.Millisecond)
	}
	return more
}
