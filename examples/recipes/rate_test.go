package recipes

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestFiveCallsRunAtATimeOnAllMachines(t *testing.T) {
	store := memory.New()
	machines := []*memory.Backend{store, store.Peer()}
	var running atomic.Int32
	full, ended := make(chan struct{}), make(chan error)
	const calls = 20
	for i := range calls {
		m := machine(t, machines[i%2].Peer())
		go func() {
			ended <- FiveAtATime(t.Context(), m, func(context.Context) error {
				switch n := running.Add(1); {
				case n > 5:
					t.Errorf("%d at a time", n)
				case n == 5:
					select {
					case <-full:
					default:
						close(full) // five do run at a time
					}
				}
				<-full
				running.Add(-1)
				return nil
			})
		}()
	}
	for range calls {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestFiveCallsASecondAreLetInOnAllMachines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		start, ended := time.Now(), make(chan time.Duration)
		const calls = 20
		for range calls {
			m := machine(t, store.Peer())
			go func() {
				var at time.Duration
				err := FiveASecond(t.Context(), m, func(context.Context) error {
					at = time.Since(start)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				ended <- at
			}()
		}
		in := make([]int, calls/5) // each second
		for range calls {
			at := <-ended
			if at%time.Second != 0 || int(at/time.Second) >= len(in) {
				t.Fatal(at)
			}
			in[at/time.Second]++
		}
		for second, n := range in {
			if n != 5 {
				t.Errorf("%d calls in second %d", n, second)
			}
		}
	})
}
