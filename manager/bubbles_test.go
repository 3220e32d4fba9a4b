package manager

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// The manager is made outside every bubble, like one that a program keeps in a variable.
func TestManagerWorksInOneBubbleAfterAnother(t *testing.T) {
	store := memory.New()
	m, peer := newManager(t, store, WithMaxHold(time.Hour)), newManager(t, store.Peer())
	use := func(t *testing.T) {
		var wg sync.WaitGroup
		began := time.Now()
		for i := range 6 {
			wg.Go(func() {
				m := m
				if i%2 == 0 {
					m = peer // waits in the store
				}
				for name, c := range claims(m) {
					if err := c.Do(context.Background(), func(context.Context) error {
						time.Sleep(time.Second)
						return nil
					}); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
				defer cancel()
				if l, err := m.Lock("m").Acquire(ctx); err == nil {
					_ = l.Release()
				}
			})
		}
		wg.Wait()
		if d := time.Since(began); d < 6*time.Second {
			t.Errorf("six turns of a second took %v", d)
		}
		l := mustAcquire(t, m.Lock("long"))
		<-l.Context().Done()
		wantLost(t, l.Release(), MaxHold)
		if stats := m.Stats(); stats.Holding+stats.Waiting != 0 {
			t.Errorf("at the end: %+v", stats)
		}
	}
	for range 3 {
		synctest.Test(t, use)
	}
	if ks, _ := m.dir.all(false); len(ks) != 0 || m.actor.timer != nil {
		t.Errorf("%d keepers are left by the bubbles, timer %v", len(ks), m.actor.timer)
	}
	wantFree(t, m.Lock("m"))
}

// The pauses of an election take no time in a bubble, also if the manager is from outside.
func TestElectionsWorkInOneBubbleAfterAnother(t *testing.T) {
	store := newFake()
	far := newManager(t, store).Election("e")
	near := newManager(t, memory.New()).Election("e")
	for range 2 {
		synctest.Test(t, func(t *testing.T) { // Lead, while the store is out of reach
			away := errors.New("no route to host")
			store.set(func(context.Context, string) error { return away }, nil)
			time.AfterFunc(time.Hour, func() { store.set(nil, nil) })
			began := time.Now()
			if err := far.Lead(t.Context(), func(context.Context, uint64) error { return nil }); err != nil {
				t.Error(err)
			}
			if d := time.Since(began); d < time.Hour {
				t.Errorf("led after %v", d)
			}
		})
		synctest.Test(t, func(t *testing.T) { // Changes, between two looks
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var leader sync.WaitGroup
			leader.Go(func() {
				time.Sleep(time.Hour)
				_ = near.Lead(ctx, func(ctx context.Context, _ uint64) error { <-ctx.Done(); return nil })
			})
			leaders := 0
			for range near.Changes(ctx) {
				leaders++
				cancel()
			}
			leader.Wait()
			if leaders != 1 {
				t.Errorf("%d leaders", leaders)
			}
		})
	}
}

// The channels and timers of a manager that was made in a bubble end with the bubble. A call from
// elsewhere would wait for ever.
func TestManagerOfABubbleIsRefusedElsewhere(t *testing.T) {
	var m *Manager
	synctest.Test(t, func(t *testing.T) {
		m = newManager(t, memory.New())
		wantFree(t, m.Lock("m"))
	})
	use := func(t *testing.T) {
		for what, err := range map[string]error{
			"Acquire": func() error { _, err := m.Lock("m").Acquire(t.Context()); return err }(),
			"All":     func() error { _, err := m.All(m.Lock("m")).TryAcquire(t.Context()); return err }(),
			"Do":      m.Lock("m").Do(t.Context(), func(context.Context) error { return nil }),
			"Lead":    m.Lead(t.Context(), "m", func(context.Context, uint64) error { return nil }),
			"Inspect": func() error { _, err := m.Inspect(t.Context(), "m"); return err }(),
			"Break":   m.Break(t.Context(), "m"),
			"Close":   m.Close(t.Context()),
		} {
			var invalid *InvalidError
			if !errors.As(err, &invalid) || invalid.Field != "manager" {
				t.Errorf("%s: %v, want an *InvalidError", what, err)
			}
		}
	}
	use(t)
	synctest.Test(t, use)
}
