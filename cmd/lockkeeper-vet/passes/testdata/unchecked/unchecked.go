package unchecked

import (
	"context"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/manager"
	"github.com/lockkeeper/lockkeeper/primitives"
)

type account struct {
	primitives.Mutex
	balance int
}

func (a *account) deposit(ctx context.Context, n int) {
	a.Lock(ctx) // want `^the error of a.Lock\(ctx\) is ignored: if the context ends, the code that follows runs without the lock$`
	defer a.Unlock()
	a.balance += n
}

func primitive(ctx context.Context, mu *primitives.Mutex, rw *primitives.RWMutex,
	s *primitives.Semaphore, w *primitives.Weighted, k *primitives.KeyedMutex[string]) {
	mu.Lock(ctx)                      // want `the error of mu.Lock\(ctx\)`
	_ = mu.Lock(ctx)                  // want `the error of mu.Lock\(ctx\)`
	go mu.Lock(ctx)                   // want `the error of mu.Lock\(ctx\)`
	defer mu.Lock(ctx)                // want `the error of mu.Lock\(ctx\)`
	rw.Lock(ctx)                      // want `the error of rw.Lock\(ctx\)`
	rw.RLock(ctx)                     // want `the error of rw.RLock\(ctx\)`
	rw.UpgradeLock(ctx)               // want `the error of rw.UpgradeLock\(ctx\)`
	rw.Upgrade(ctx)                   // want `the error of rw.Upgrade\(ctx\)`
	s.Acquire(ctx, 2)                 // want `the error of s.Acquire\(ctx, 2\)`
	_ = w.Acquire(ctx, 2)             // want `the error of w.Acquire\(ctx, 2\)`
	k.Lock(ctx, "key")                // want `the error of k.Lock\(ctx, "key"\)`
	(*primitives.Mutex).Lock(mu, ctx) // want `the error of`

	mu.TryLock()        // want `^the result of mu.TryLock\(\) is ignored: if it is false, the code that follows runs without the lock$`
	_ = mu.TryLock()    // want `the result of mu.TryLock`
	rw.TryLock()        // want `the result of rw.TryLock`
	rw.TryRLock()       // want `the result of rw.TryRLock`
	rw.TryUpgradeLock() // want `the result of rw.TryUpgradeLock`
	rw.TryUpgrade()     // want `the result of rw.TryUpgrade`
	s.TryAcquire(1)     // want `the result of s.TryAcquire`
	k.TryLock("key")    // want `the result of k.TryLock`
}

func contexts(short context.Context, mu *primitives.Mutex) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	mu.Lock(ctx) // want `the error of mu.Lock\(ctx\)`
	cancelled, cancel := context.WithCancel(context.Background())
	time.AfterFunc(time.Second, cancel)
	mu.Lock(cancelled) // want `the error of mu.Lock\(cancelled\)`
	if short == nil {
		short = context.Background()
	}
	mu.Lock(short) // want `the error of mu.Lock\(short\)`
	replaced := context.Background()
	replaced = ctx
	mu.Lock(replaced) // want `the error of mu.Lock\(replaced\)`
	changed := context.Background()
	change(&changed)
	mu.Lock(changed) // want `the error of mu.Lock\(changed\)`
}

func change(*context.Context) {}

func named(ctx context.Context, m *manager.Manager, c manager.Claim, f func(context.Context) error) {
	c.Acquire(ctx)                          // want `^the error of c.Acquire\(ctx\) is ignored: if it fails, the code that follows runs without the lock$`
	_, _ = c.Acquire(ctx)                   // want `the error of c.Acquire\(ctx\)`
	m.Lock("x").TryAcquire(ctx)             // want `the error of m.Lock\("x"\).TryAcquire\(ctx\)`
	l, _ := c.Acquire(context.Background()) // want `the error of c.Acquire`
	defer l.Release()
	var l2, _ = c.TryAcquire(ctx) // want `the error of c.TryAcquire`
	defer l2.Release()
	m.Lock("x").Do(ctx, f)        // want `^the error of m.Lock\("x"\).Do\(ctx, f\) is ignored: if the lock is not acquired, the function does not run$`
	defer c.Do(ctx, f)            // want `the error of c.Do`
	go m.Lead(ctx, "leader", nil) // want `the error of m.Lead\(ctx, "leader", nil\)`
	func() {
		c.Do(ctx, f) // want `the error of c.Do`
		_ = f(ctx)
	}()
}

// Nothing of the following is reported.

func checked(ctx context.Context, m *manager.Manager, mu *primitives.Mutex, s *primitives.Semaphore) error {
	if err := mu.Lock(ctx); err != nil {
		return err
	}
	defer mu.Unlock()
	if s.TryAcquire(1) {
		defer s.Release(1)
	}
	got := s.TryAcquire(1)
	_ = got
	_ = m.Lock("x").Do(ctx, nil)
	_ = m.Lead(ctx, "x", nil)
	l, _ := m.Lock("x").TryAcquire(ctx)
	if l != nil {
		return l.Release()
	}
	return m.Lock("x").Do(ctx, nil)
}

func endless(tb testing.TB, t *testing.T, b *testing.B, mu *primitives.Mutex) {
	_ = mu.Lock(context.Background())
	mu.Lock(context.TODO())
	mu.Lock(context.WithoutCancel(t.Context()))
	mu.Lock(tb.Context())
	mu.Lock(t.Context())
	mu.Lock(b.Context())
	ctx := context.Background()
	mu.Lock(ctx)
	until, cancel := context.WithCancel(context.Background())
	defer cancel()
	mu.Lock(until)
	mu.Unlock()
}

func handedOn(ctx context.Context, c manager.Claim, ch chan *manager.Lease) *manager.Lease {
	sent, _ := c.Acquire(ctx)
	ch <- sent
	returned, _ := c.Acquire(ctx)
	return returned
}

func nothingFollows(ctx context.Context, mu *primitives.Mutex, c manager.Claim) {
	go func() { _ = mu.Lock(ctx) }()
	defer func() { _, _ = c.Acquire(ctx) }()
}

func waits(ctx context.Context, e *primitives.Event, l *primitives.Latch) {
	e.Wait(ctx)
	_ = l.Wait(ctx)
}

type mutex struct{}

func (mutex) Lock(context.Context) error  { return nil }
func (mutex) TryLock() bool               { return true }
func others(ctx context.Context, m mutex) { m.Lock(ctx); m.TryLock(); _ = m.Lock(ctx) }

func adopts(ctx context.Context, m *manager.Manager, t manager.Ticket) {
	l, _ := m.Adopt(ctx, t) // want `the error of m.Adopt`
	defer l.Release()
}
