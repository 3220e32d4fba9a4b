package recipes

import (
	"context"
	"sync/atomic"
	"testing"

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
