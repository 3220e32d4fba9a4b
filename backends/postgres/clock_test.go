package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
	"github.com/lockkeeper/lockkeeper/internal/preloadtest"
)

// A clock that steps forward ends every lease early, which is outside of what is promised without
// fencing. The holder is told at its next renewal, and tokens increase.
func TestServerClockThatStepsForwardIsToldAndTokensIncrease(t *testing.T) {
	t.Parallel() // it mostly waits
	clock := preloadtest.NewClock(t)
	s := pgtest.StartWith(t, clock.Env())
	b := newBed(t, s)
	x, y := b.through(t, s.Addr), b.through(t, s.Addr, postgres.WithHeartbeat(100*time.Millisecond))
	g := b.acquire(x, mutex("n", time.Minute))
	w := b.queue(y, mutex("n", time.Minute))
	clock.Set(t, 2*time.Hour)
	h := w.granted()
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	if r := b.renewed(x, g); !errors.Is(r.Err, backends.ErrLost) {
		t.Errorf("Renew after the step: %v; want ErrLost", r.Err)
	}
	b.release(y, h)
}

// A clock that steps back lets a dead holder's lease last longer, and nothing else: tokens go on from
// the last one, and who waits is granted.
func TestServerClockThatStepsBackKeepsTokensIncreasing(t *testing.T) {
	t.Parallel() // it mostly waits
	clock := preloadtest.NewClock(t)
	s := pgtest.StartWith(t, clock.Env())
	b := newBed(t, s)
	x, y := b.through(t, s.Addr), b.through(t, s.Addr)
	g := b.acquire(x, mutex("n", time.Minute))
	clock.Set(t, -2*time.Hour)
	if r := b.renewed(x, g); r.Err != nil {
		t.Errorf("Renew after the step: %v", r.Err)
	}
	w := b.queue(y, mutex("n", time.Minute))
	b.release(x, g)
	h := w.granted()
	for last := g.Token; ; last++ {
		if h.Token != last+1 {
			t.Errorf("token %d, want %d: one more than the last", h.Token, last+1)
		}
		b.release(y, h)
		if last == g.Token+3 {
			return
		}
		h = b.acquire(y, mutex("n", time.Minute))
	}
}

// The pause after a crash ends although the clock steps back in it, or after it.
func TestServerClockThatStepsBackAfterACrashDoesNotProlongThePause(t *testing.T) {
	t.Parallel() // it mostly waits
	clock := preloadtest.NewClock(t)
	clock.Set(t, 2*time.Hour)
	s := pgtest.StartWith(t, clock.Env())
	b := newBed(t, s)
	c := b.through(t, s.Addr)
	g := b.acquire(c, mutex("n", time.Minute))
	s.Restart(t)
	if r := b.renewed(c, g); r.Err != nil { // some call that sees the crash
		t.Fatal(r.Err)
	}
	clock.Set(t, 0)
	d := b.through(t, s.Addr)
	b.until("a new name is granted", func() bool {
		h, err := backends.TryAcquire(b.ctx, d, mutex("m", time.Minute))
		if err == nil {
			b.release(d, h)
		}
		return err == nil
	})
}
