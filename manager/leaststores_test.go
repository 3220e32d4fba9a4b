package manager

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestMinimumOverEveryStore(t *testing.T) {
	for name, store := range stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := store(t)
			a, b := newManager(t, client(), patient...), newManager(t, client(), patient...)

			// Whoever waits, in the process of the last holder or in another, is granted by itself.
			for _, next := range []*Manager{a, b} {
				const d = 200 * time.Millisecond
				began := time.Now()
				mustRelease(t, mustAcquire(t, a.Lock("short"), HoldAtLeast(d)))
				mustRelease(t, mustAcquire(t, next.Lock("short")))
				if passed := time.Since(began); passed < d {
					t.Errorf("the next is granted after %v; want %v at least", passed, d)
				}
			}

			l := mustAcquire(t, b.Lock("cancelled"))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Millisecond, cancel) // part of the case: it stands in the queue, or not
			_, err := a.Lock("cancelled").Acquire(ctx, HoldAtLeast(time.Hour))
			wantErr(t, err, context.Canceled)
			mustRelease(t, l)
			mustRelease(t, mustAcquire(t, b.Lock("cancelled")))

			if a.caps.Detach {
				l := mustAcquire(t, a.Lock("passed on"), HoldAtLeast(time.Hour))
				mustRelease(t, mustAdopt(t, b, mustDetach(t, l)))
				wantKept(t, a.Lock("passed on"))
			}

			mustRelease(t, mustAcquire(t, a.Lock("long"), HoldAtLeast(time.Hour)))
			wantKept(t, a.Lock("long"))
			if err := a.Close(t.Context()); err != nil {
				t.Error(err)
			}
			wantKept(t, b.Lock("long"))
			if err := b.Break(t.Context(), "long"); err != nil {
				t.Error(err)
			}
			wantFree(t, b.Lock("long"))
		})
	}
}

func wantKept(t *testing.T, c Claim) {
	t.Helper()
	l, err := c.TryAcquire(t.Context())
	if held := (*HeldError)(nil); !errors.Is(err, ErrBusy) || !errors.As(err, &held) || held.Holder.KeptUntil.IsZero() {
		t.Errorf("a try of a kept name: %v, %v; want a HeldError", l, err)
	}
}

// Two processes want names with and without a minimum, one or two at a time, and some give up. No
// name is granted before the minimum of its last grant is over, and none is kept that nobody held.
func TestNothingIsGrantedBeforeAMinimumIsOver(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			t.Logf("seed %d", seed)
			store := memory.New()
			a := newManager(t, store, WithIdleHold(time.Millisecond))
			b := newManager(t, store.Peer(), WithLocalHandoffs(2, time.Second))
			u := &users{t: t, until: map[string]time.Time{}}
			var wg sync.WaitGroup
			for g := range 8 {
				m, rnd := []*Manager{a, b}[g%2], rand.New(rand.NewPCG(seed, uint64(g)))
				wg.Go(func() {
					for range 60 {
						u.use(m, rnd)
					}
				})
			}
			wg.Wait()
			for name, until := range u.until {
				time.Sleep(max(time.Until(until), 0) + time.Millisecond) // the idle hold too
				synctest.Wait()
				wantFree(t, b.Lock(name))
			}
		})
	}
}

type users struct {
	t     *testing.T
	mu    sync.Mutex
	until map[string]time.Time // when the last minimum of each name is over
}

func (u *users) use(m *Manager, rnd *rand.Rand) {
	name := func() string { return fmt.Sprint("name-", rnd.IntN(3)) }
	c := m.Lock(name())
	if rnd.IntN(3) == 0 {
		c = m.All(c, m.Lock(name()))
	}
	var opts []AcquireOption
	least := time.Duration(rnd.IntN(3)) * 10 * time.Millisecond
	if least > 0 {
		opts = append(opts, HoldAtLeast(least))
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rnd.IntN(50))*time.Millisecond)
	defer cancel()
	l, err := c.Acquire(ctx, opts...)
	if err != nil {
		wantErr(u.t, err, context.DeadlineExceeded)
		return
	}
	u.mu.Lock()
	for _, p := range l.Leases() {
		granted := row(m, p.Name()).Holders[0].Since // of a part: before now
		if until := u.until[p.Name()]; granted.Before(until) {
			u.t.Errorf("%s is granted %v before its time", p.Name(), until.Sub(granted))
		}
		u.until[p.Name()] = granted.Add(least)
	}
	u.mu.Unlock()
	time.Sleep(time.Duration(rnd.IntN(30)) * time.Millisecond)
	mustRelease(u.t, l)
}
