package manager

import (
	"context"
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
