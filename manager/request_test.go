package manager

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// Grant and cancel meet at the same instant, over and over: whoever is told an error holds nothing, and whoever holds was told so.
func TestCancelRacesTheGrant(t *testing.T) {
	m := newManager(t, memory.New())
	rounds := 20_000
	if testing.Short() {
		rounds = 2_000
	}
	var cancelled, granted int
	for range rounds {
		l := mustAcquire(t, m.Lock("db"))
		ctx, cancel := context.WithCancel(context.Background())
		got := make(chan *Lease, 1)
		go func() {
			l, _ := m.Lock("db").Acquire(ctx)
			got <- l
		}()
		go cancel()
		mustRelease(t, l)
		if l := <-got; l != nil {
			granted++
			mustRelease(t, l)
		} else {
			cancelled++
		}
		cancel()
		l = mustAcquire(t, m.Lock("db")) // nothing stands in the way
		mustRelease(t, l)
	}
	t.Logf("%d granted, %d cancelled", granted, cancelled)
}

func TestManyCancelledAcquiresLeaveNothing(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, b.Lock("db"))
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				if _, err := a.Lock("db").Acquire(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		if w := a.Stats().Waiting; w != int64(n) {
			t.Errorf("%d wait, want %d", w, n)
		}
		cancel()
		wg.Wait()
		synctest.Wait()
		if s := a.Stats(); s.Waiting != 0 || s.Totals.Cancelled != uint64(n) {
			t.Errorf("waiting %d, cancelled %d", s.Waiting, s.Totals.Cancelled)
		}
		if st, err := a.Inspect(context.Background(), "db"); err != nil || len(st.Waiters) != 0 || len(st.Holders) != 1 {
			t.Errorf("store: %+v, %v", st, err)
		}
		mustRelease(t, l)
		sleep(time.Second)
		if ks, _ := a.dir.all(false); len(ks) != 0 {
			t.Errorf("%d keepers are left", len(ks))
		}
	})
}

func TestCancelledWaiterLeavesNothingAndTheNextMovesUp(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		sem := func(m *Manager, n int64) Claim { return m.Semaphore("s", 10).Permits(n) }
		l := mustAcquire(t, sem(a, 1))
		big := start(sem(a, 10))
		small := start(sem(a, 1))
		other := start(sem(b, 1))
		small.stillWaiting(t)
		other.stillWaiting(t)
		why := errors.New("why")
		big.cancel(why)
		if big.waiting() || !errors.Is(big.err, context.Canceled) || !errors.Is(big.err, why) || !strings.Contains(big.err.Error(), "why") {
			t.Errorf("cancelled: %v", big.err)
		}
		mustRelease(t, small.granted(t), other.granted(t), l)
		if s := a.Stats(); s.Waiting != 0 || s.Totals.Cancelled != 1 {
			t.Errorf("stats: %+v", s)
		}
	})
}

func TestDeadlineEndsTheWait(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		begin := time.Now()
		_, err := m.Lock("db").Acquire(ctx)
		wantErr(t, err, context.DeadlineExceeded)
		if d := time.Since(begin); d != time.Minute {
			t.Errorf("waited %v", d)
		}
		synctest.Wait()
		if s := m.Stats(); s.Totals.TimedOut != 1 || s.Waiting != 0 {
			t.Errorf("stats: %+v", s)
		}
		mustRelease(t, l)
	})
}

func TestContextAlreadyDoneLosesToAFreeLock(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		ctx, cancel := context.WithCancelCause(context.Background())
		why := errors.New("why")
		cancel(why)
		for _, c := range []Claim{m.Lock("db"), m.All(m.Lock("db"), m.Lock("x"))} {
			l, err := c.Acquire(ctx)
			if l != nil || !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
				t.Errorf("got %v, %v", l, err)
			}
			_, err = c.TryAcquire(ctx)
			wantErr(t, err, context.Canceled)
		}
		wantFree(t, m.Lock("db"))
	})
}
