package redis_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/manager"
)

// managed returns a manager over a backend.
func (b *bed) managed(c *redis.Backend, ttl time.Duration) *manager.Manager {
	b.Helper()
	m, err := manager.New(c, manager.WithTTL(ttl))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.Close(b.ctx); err != nil {
			b.Errorf("Close: %v", err)
		}
	})
	return m
}

// A holder that cannot reach the server knows that its lease has ended before the server gives it to anybody else.
func TestHolderThatIsCutOffStopsBeforeTheNextStarts(t *testing.T) {
	b := newBed(t, server.Get(t))
	const ttl = 400 * time.Millisecond
	for range 3 {
		p := b.server.NewProxy(t)
		cutOff, other := b.managed(b.through(p), ttl), b.managed(b.open(), ttl)
		l, err := cutOff.Lock("n").Acquire(b.ctx)
		if err != nil {
			t.Fatal(err)
		}
		stopped := make(chan time.Time, 1)
		go func() {
			<-l.Context().Done()
			stopped <- time.Now()
		}()
		p.BlackHole()
		next, err := other.Lock("n").Acquire(b.ctx)
		if err != nil {
			t.Fatal(err)
		}
		granted := time.Now()
		if l.Valid() {
			t.Fatal("two leases are valid")
		}
		t.Logf("the holder stopped %v before the next was granted", granted.Sub(<-stopped))
		if next.Token() <= l.Token() {
			t.Errorf("token %d after %d", next.Token(), l.Token())
		}
		if err := l.Err(); !errors.Is(err, manager.ErrLost) {
			t.Errorf("the lease that was cut off: %v, want ErrLost", err)
		}
		if err := next.Release(); err != nil {
			t.Error(err)
		}
		p.Judge(nil)
		p.CutAll()
	}
}

// Renewal keeps a lease for many times its time to live, and a reset of the connection does not end it.
func TestLeaseIsKeptOverResets(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	m, other := b.managed(b.through(p), 6*time.Second), b.open() // a renewal has seconds to get through
	l, err := m.Lock("n").Acquire(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	token, first := l.Token(), l.ValidUntil()
	for !l.ValidUntil().After(first) { // until it was renewed
		p.CutAll()
		if s := b.inspect(other, "n"); len(s.Holders) != 1 || s.Holders[0].Token != token {
			if errors.Is(l.Err(), manager.ErrLost) {
				t.Fatalf("the lease was lost: %v", l.Err())
			}
			t.Fatalf("holders: %+v", s.Holders)
		}
		<-time.After(100 * time.Millisecond) // between the resets
	}
	if err := l.Release(); err != nil {
		t.Errorf("Release: %v", err)
	}
}
