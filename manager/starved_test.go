package manager

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
)

// On a scheduler that hardly runs the keepers, renewals come late or not at all. A holder may lose its lease by that, but never without being
// told: whenever the store has granted the name to another process, the lease before is not valid any more.
func TestAStarvedHolderIsRenewedOrTold(t *testing.T) {
	const ttl = backends.MinTTL
	f := newFake()
	holders := newManager(t, f, WithTTL(ttl))
	others := newManager(t, f.peer(), WithTTL(ttl))

	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var over atomic.Bool
	var busy sync.WaitGroup
	for range 8 {
		busy.Go(func() {
			for !over.Load() {
			}
		})
	}
	defer busy.Wait()
	defer over.Store(true)

	release := func(l *Lease) {
		if err := l.Release(); err != nil {
			wantErr(t, err, ErrLost)
		}
	}
	for range 5 {
		l, err := holders.Lock("db").Acquire(context.Background())
		if err != nil { // granted, but so late that nothing of the grant was left
			wantErr(t, err, ErrUnavailable)
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*ttl)
		if next, err := others.Lock("db").Acquire(ctx); err == nil { // the holder was starved for a whole TTL
			if l.Valid() || l.Context().Err() == nil || l.Err() == nil {
				t.Errorf("token %d was granted while the holder of %d believed in its lease", next.Token(), l.Token())
			}
			if next.Token() <= l.Token() {
				t.Errorf("token %d after %d", next.Token(), l.Token())
			}
			release(next)
		} else if ctx.Err() == nil {
			wantErr(t, err, ErrUnavailable)
		}
		cancel()
		release(l)
	}
}
