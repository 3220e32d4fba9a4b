package memory_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func atLeast(d time.Duration) backends.Request {
	return backends.Request{
		Resource: backends.Resource{Name: "job", Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1, AtLeast: d,
	}
}

// The time counts from the grant, whenever the release comes, and waiters are granted to the moment.
func TestKeptGrantEndsToTheMoment(t *testing.T) {
	for _, held := range []time.Duration{0, time.Second, 9 * time.Second, 10 * time.Second, 11 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b := memory.New()
			began := time.Now()
			g, err := backends.TryAcquire(t.Context(), b, atLeast(10*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			granted := make(chan time.Duration)
			peer := b.Peer()
			go func() {
				h, err := backends.Acquire(t.Context(), peer, atLeast(0))
				granted <- time.Since(began)
				if err = errors.Join(err, backends.Release(t.Context(), peer, h)); err != nil {
					t.Error(err)
				}
			}()
			time.Sleep(held)
			if err := backends.Release(t.Context(), b, g); err != nil {
				t.Error(err)
			}
			if at, want := <-granted, max(held, 10*time.Second); at != want {
				t.Errorf("held for %v: granted after %v; want %v", held, at, want)
			}
		})
	}
}

// What Break has freed is not freed once more by the timer: the successor is kept for its own time.
func TestBreakStopsTheTimerOfAKeptGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New()
		take := func(d time.Duration) {
			t.Helper()
			g, err := backends.TryAcquire(t.Context(), b, atLeast(d))
			if err == nil {
				err = backends.Release(t.Context(), b, g)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		take(time.Second)
		if err := b.Break(t.Context(), "job"); err != nil {
			t.Fatal(err)
		}
		take(time.Minute)
		time.Sleep(2 * time.Second)
		state, err := b.Inspect(t.Context(), "job")
		if err != nil || len(state.Holders) != 1 || state.Holders[0].Kept != 58*time.Second {
			t.Errorf("Inspect: %+v, %v; want one holder, kept for 58 s", state, err)
		}
		time.Sleep(58 * time.Second)
		synctest.Wait()
		take(0)
	})
}
