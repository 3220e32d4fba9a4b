package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// strayed is a client that is led from its primary to a replica that was cut off before the first
// grant. The replica knows of no grants, and would say that nothing is held.
type strayed struct {
	*bed
	proxy   *redistest.Proxy
	replica *redistest.Server
	client  *redis.Backend
	lost    chan backends.Event
}

func stray(t *testing.T) *strayed {
	b := newBed(t, redistest.Start(t))
	replica := b.replicate(func(args ...string) *redistest.Server { return redistest.Start(t, args...) })
	// Its primary does not exist: it stays a replica, with the data that it has.
	if err := replica.Client(t).Do(b.ctx, "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	p := b.server.NewProxy(t)
	s := &strayed{b, p, replica, b.through(p, redis.WithHeartbeat(50*time.Millisecond)), make(chan backends.Event, 64)}
	t.Cleanup(func() { p.Lead(b.server) }) // before the client is closed
	return s
}

// request is a request whose losses go to the test.
func (s *strayed) request(kind backends.Kind, capacity int64) backends.Request {
	r := mutex("n", time.Minute)
	r.Kind, r.Capacity = kind, capacity
	r.Notify = func(e backends.Event) {
		if e.Type == backends.Lost {
			s.lost <- e
		}
	}
	return r
}

// Only a primary is believed. At any other server every call fails with ErrUnavailable, and nothing
// has changed when the client is back at the primary.
func TestOnlyAPrimaryIsBelieved(t *testing.T) {
	t.Parallel()
	calls := map[string]func(s *strayed, ctx context.Context, g backends.Grant) error{
		"Renew": func(s *strayed, ctx context.Context, g backends.Grant) error {
			return s.client.Renew(ctx, []backends.Renewal{{Grant: g, TTL: time.Minute}})[0].Err
		},
		"TryAcquire": func(s *strayed, ctx context.Context, g backends.Grant) error {
			_, err := backends.TryAcquire(ctx, s.client, mutex("n", time.Minute)) // another kind: a mismatch where it is known
			return err
		},
		"Acquire": func(s *strayed, ctx context.Context, g backends.Grant) error {
			_, err := backends.Acquire(ctx, s.client, mutex("other", time.Minute))
			return err
		},
		"Inspect": func(s *strayed, ctx context.Context, g backends.Grant) error {
			_, err := s.client.Inspect(ctx, "n")
			return err
		},
		"List": func(s *strayed, ctx context.Context, g backends.Grant) error {
			for _, err := range s.client.List(ctx) {
				return err
			}
			return nil
		},
		"Break": func(s *strayed, ctx context.Context, g backends.Grant) error { return s.client.Break(ctx, "n") },
	}
	for what, call := range calls {
		t.Run(what, func(t *testing.T) {
			s := stray(t)
			r := s.request(backends.Semaphore, 2)
			g, h := s.acquire(s.client, r), s.acquire(s.client, r)
			s.proxy.Lead(s.replica)
			if err := call(s, s.ctx, g); !errors.Is(err, backends.ErrUnavailable) || errors.Is(err, backends.ErrLost) {
				t.Errorf("from a replica that is out of date: %v, want ErrUnavailable", err)
			}
			s.proxy.Lead(s.server)
			if st := s.inspect(s.client, "n"); len(st.Holders) != 2 || len(st.Waiters) != 0 {
				t.Errorf("back at the primary: %+v, want two holders", st)
			}
			s.kept(g, h)
		})
	}
}

// kept checks that the grants are held, and no holder was told of a loss.
func (s *strayed) kept(gs ...backends.Grant) {
	s.Helper()
	for _, g := range gs {
		s.until("renewed at the primary", func() bool {
			err := s.renew(s.client, g, time.Minute).Err
			if errors.Is(err, backends.ErrLost) {
				s.Fatalf("Renew at the primary: %v", err)
			}
			return err == nil
		})
		s.release(s.client, g)
	}
	select {
	case e := <-s.lost:
		s.Errorf("a holder was told: %v", e.Err)
	default:
	}
}

// A release that a replica refuses is no loss. It happens when the client is back at the primary.
func TestReleaseRefusedByAReplicaIsTriedAgain(t *testing.T) {
	t.Parallel()
	for what, release := range map[string]func(s *strayed, g backends.Grant) error{
		"Release": func(s *strayed, g backends.Grant) error { return backends.Release(s.ctx, s.client, g) },
		"Post": func(s *strayed, g backends.Grant) error {
			l := s.send(s.client, s.request(backends.Mutex, 1), &g)
			<-l.answered
			return <-l.released
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := stray(t)
			other := s.open()
			g := s.acquire(s.client, s.request(backends.Mutex, 1))
			s.proxy.Lead(s.replica)
			if err := release(s, g); !errors.Is(err, backends.ErrUnavailable) || errors.Is(err, backends.ErrLost) {
				t.Errorf("at a replica: %v, want ErrUnavailable", err)
			}
			if n := len(s.inspect(other, "n").Holders); n != 1 {
				t.Errorf("%d holders at the primary, want the one", n)
			}
			s.proxy.Lead(s.server)
			s.release(other, s.acquire(other, mutex("n", time.Minute)))
		})
	}
}

// Heartbeats and cancellations that reach a replica end nothing: holders are told of no loss, and
// waiters keep their places.
func TestHeartbeatsToAReplicaEndNothing(t *testing.T) {
	t.Parallel()
	s := stray(t)
	other := s.open()
	g := s.acquire(s.client, s.request(backends.Mutex, 1))
	ctx, cancel := context.WithCancel(s.ctx)
	requeued := make(chan backends.Event, 8)
	r := mutex("n", time.Minute)
	r.Notify = func(e backends.Event) { requeued <- e }
	w := s.queue(s.client, r)
	gone := make(chan error, 1)
	go func() {
		_, err := backends.Acquire(ctx, s.client, mutex("n", time.Minute))
		gone <- err
	}()
	s.until("both wait", func() bool { return len(s.inspect(other, "n").Waiters) == 2 })
	heard := make(chan struct{}, 64)
	s.proxy.Judge(func(request []byte) redistest.Verdict {
		select {
		case heard <- struct{}{}:
		default:
		}
		return redistest.Pass
	})
	s.proxy.Lead(s.replica)
	for range 10 { // heartbeats and their repetitions
		<-heard
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled acquire: %v", err)
	}
	s.proxy.Judge(nil)
	s.proxy.Lead(s.server)
	s.until("the cancelled request is gone", func() bool { return len(s.inspect(other, "n").Waiters) == 1 })
	s.kept(g)
	s.release(s.client, w.granted())
	for {
		select {
		case e := <-requeued:
			if e.Type == backends.Requeued {
				t.Error("a waiter was told that its place was lost")
			}
			continue
		default:
		}
		return
	}
}
