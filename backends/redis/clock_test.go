package redis_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// A clock that steps forward ends every lease early, which is outside of what is promised without fencing. The holder
// is told at its next renewal, and tokens increase.
func TestServerClockThatStepsForwardIsToldAndTokensIncrease(t *testing.T) {
	t.Parallel()
	s, clock := redistest.StartWithClock(t, 0)
	b := newBed(t, s)
	a, c := b.open(), b.open(redis.WithHeartbeat(100*time.Millisecond))
	g := b.acquire(a, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	clock.Set(t, 2*time.Hour)
	h := w.granted()
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	if r := b.renew(a, g, time.Minute); !errors.Is(r.Err, backends.ErrLost) {
		t.Errorf("Renew after the step: %v, want ErrLost", r.Err)
	}
	b.release(c, h)
}

// A clock that steps back lets a dead holder's lease last longer, and nothing else: tokens go on from the last one.
func TestServerClockThatStepsBackKeepsTokensIncreasing(t *testing.T) {
	t.Parallel()
	s, clock := redistest.StartWithClock(t, 0)
	b := newBed(t, s)
	c := b.open()
	g := b.acquire(c, mutex("n", time.Minute))
	clock.Set(t, -2*time.Hour)
	if r := b.renew(c, g, time.Minute); r.Err != nil {
		t.Errorf("Renew after the step: %v", r.Err)
	}
	b.release(c, g)
	for last := g.Token; last < g.Token+3; last++ {
		h := b.acquire(c, mutex("n", time.Minute))
		if h.Token != last+1 {
			t.Errorf("token %d, want %d: one more than the last", h.Token, last+1)
		}
		b.release(c, h)
	}
}

// A replica that is promoted with a clock that is behind goes on from the token that was replicated.
func TestPromotedReplicaWhoseClockIsBehindKeepsTokensIncreasing(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	replica := b.replicate(func(args ...string) *redistest.Server {
		s, _ := redistest.StartWithClock(t, -time.Hour, args...)
		return s
	})
	c := b.open()
	g := b.acquire(c, mutex("n", time.Minute))
	b.release(c, g)
	b.inStep()
	b.promote(replica)
	next := open(t, replica.Client(t), redis.WithPrefix(b.prefix))
	h := b.acquire(next, mutex("n", time.Minute))
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	b.release(next, h)
}
