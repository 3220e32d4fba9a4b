package manager

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// far is a memory store that takes its time to answer, as one over a network: the manager posts to it.
type far struct {
	*memory.Backend
	posts, relays atomic.Int64
	before        func(ctx context.Context) // in Send; may be nil
}

func (f *far) Capabilities() backends.Capabilities {
	c := f.Backend.Capabilities()
	c.Immediate = false
	return c
}

func (f *far) Post(p backends.Post) backends.Posted {
	f.posts.Add(1)
	if p.After != nil {
		f.relays.Add(1)
	}
	return farPost{f.Backend.Post(p), f}
}

type farPost struct {
	backends.Posted
	far *far
}

func (p farPost) Send(ctx context.Context) {
	if p.far.before != nil {
		p.far.before(ctx)
	}
	p.Posted.Send(ctx)
}

func TestStormOverAStoreThatIsPostedTo(t *testing.T) {
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
		if n := f.posts.Load(); n != 1 {
			t.Fatalf("%d posts for the holder, want 1", n)
		}
		mustRelease(t, l)
		if n := f.relays.Load(); n != 1 {
			t.Errorf("%d releases asked for the next, want 1", n)
		}
		next := other.granted(t) // it was there before the store was asked again
		if !first.waiting() || !second.waiting() {
			t.Error("overtaken")
		}
		mustRelease(t, next)
		mustRelease(t, first.granted(t))
		mustRelease(t, second.granted(t))
		if posts, relays := f.posts.Load(), f.relays.Load(); posts != 3 || relays != 2 {
			t.Errorf("%d posts, %d of them with a release; want 3 and 2", posts, relays)
		}
	})
}

// A caller whose context ends while it sends its request is not held up, and those behind it are served.
func TestCallerGoneWhileItPosts(t *testing.T) {
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

// What a post panics with ends its keeper, which tells everybody.
func TestPostThatPanics(t *testing.T) {
	f := &far{Backend: memory.New(), before: func(context.Context) { panic("a bug in the store") }}
	m := newManager(t, f)
	_, err := m.Lock("db").Acquire(context.Background())
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("Acquire: %v, want ErrUnavailable", err)
	}
}
