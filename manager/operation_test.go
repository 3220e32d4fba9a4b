package manager

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// far is a memory store that is reached by work, as one over a network.
type far struct {
	*memory.Backend
	ops, both atomic.Int64              // with requests; with a release as well
	before    func(ctx context.Context) // in the work; may be nil
}

func (f *far) Start(op *backends.Op) backends.Work {
	if len(op.Acquire) > 0 {
		f.ops.Add(1)
		if len(op.Release) > 0 {
			f.both.Add(1)
		}
	}
	sent := &sentOp{inner: *op}
	op.State = sent
	return func(ctx context.Context) {
		if f.before != nil {
			f.before(ctx)
		}
		sent.mu.Lock()
		defer sent.mu.Unlock()
		sent.sent = true
		inner := &sent.inner
		if sent.cancelled || ctx.Err() != nil {
			inner.Acquire = nil
		}
		f.Backend.Start(inner)
		switch {
		case len(inner.Acquire) > 0:
		case sent.cancelled:
			op.Fail(context.Canceled)
		default:
			op.Fail(ctx.Err())
		}
	}
}

func (f *far) Cancel(op *backends.Op) backends.Work {
	sent := op.State.(*sentOp)
	return func(context.Context) {
		sent.mu.Lock()
		defer sent.mu.Unlock()
		if sent.cancelled = true; sent.sent {
			f.Backend.Cancel(&sent.inner)
		}
	}
}

// sentOp is an operation on its way.
type sentOp struct {
	mu              sync.Mutex
	inner           backends.Op
	sent, cancelled bool
}

func TestStormOverAStoreThatGivesWork(t *testing.T) {
	for name, opts := range map[string][]Option{
		"hand-offs": {WithLocalHandoffs(8, time.Millisecond)},
		"strict":    {WithLocalHandoffs(0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			store := memory.New()
			rounds := 1_000
			if testing.Short() || raceEnabled {
				rounds = 200
			}
			peer := func() *far { return &far{Backend: store.Peer()} }
			storm(t, rounds, newManager(t, peer(), opts...), newManager(t, peer(), opts...), newManager(t, peer(), opts...))
			for st, err := range store.Peer().List(context.Background()) {
				t.Errorf("the store still knows %+v, %v", st, err)
			}
		})
	}
}

// A grant that goes back while others of its process wait takes their request along.
func TestReleaseAsksForTheNextOfItsProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		f := &far{Backend: store}
		a, b := newManager(t, f, WithLocalHandoffs(0, 0)), newManager(t, store.Peer(), WithLocalHandoffs(0, 0))
		l := mustAcquire(t, a.Lock("db"))
		first, second := start(a.Lock("db")), start(a.Lock("db"))
		synctest.Wait()
		other := start(b.Lock("db"))
		synctest.Wait()
		if n := f.ops.Load(); n != 1 {
			t.Fatalf("%d requests for the holder, want 1", n)
		}
		mustRelease(t, l)
		if n := f.both.Load(); n != 1 {
			t.Errorf("%d releases asked for the next, want 1", n)
		}
		next := other.granted(t) // it was there before the store was asked again
		if !first.waiting() || !second.waiting() {
			t.Error("overtaken")
		}
		mustRelease(t, next)
		mustRelease(t, first.granted(t))
		mustRelease(t, second.granted(t))
		if ops, both := f.ops.Load(), f.both.Load(); ops != 3 || both != 2 {
			t.Errorf("%d requests, %d of them with a release; want 3 and 2", ops, both)
		}
	})
}

// A caller whose context ends while it sends its request is not held up, and those behind it are served.
func TestCallerGoneWhileItRunsTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &far{Backend: memory.New()}
		hung := make(chan struct{}, 1)
		f.before = func(ctx context.Context) {
			select {
			case hung <- struct{}{}:
				<-ctx.Done()
			default:
			}
		}
		m := newManager(t, f)
		ctx, cancel := context.WithCancel(context.Background())
		gone := make(chan error, 1)
		go func() {
			_, err := m.Lock("db").Acquire(ctx)
			gone <- err
		}()
		synctest.Wait()
		w := start(m.Lock("db"))
		synctest.Wait()
		cancel()
		wantErr(t, <-gone, context.Canceled)
		mustRelease(t, w.granted(t))
	})
}

// What the work panics with ends its keeper, which tells everybody.
func TestWorkThatPanics(t *testing.T) {
	f := &far{Backend: memory.New(), before: func(context.Context) { panic("a bug in the store") }}
	m := newManager(t, f)
	_, err := m.Lock("db").Acquire(context.Background())
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("Acquire: %v, want ErrUnavailable", err)
	}
}
