package redis_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

// commands applies a verdict to the commands of scripts, and passes everything else.
func commands(judge func(n int, request []byte) redistest.Verdict) func([]byte) redistest.Verdict {
	var n atomic.Int64
	return func(request []byte) redistest.Verdict {
		if !bytes.Contains(request, []byte("evalsha")) {
			return redistest.Pass
		}
		return judge(int(n.Add(1)), request)
	}
}

// A release that carries the request of a waiter waits for a connection while the waiter cancels.
func TestCancelledWaiterDoesNotCancelTheReleaseThatCarriesIt(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	var slow atomic.Bool
	dialling, dial := make(chan struct{}, 16), make(chan struct{})
	client := b.server.ClientOf(t, &goredis.Options{Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
		if slow.Load() {
			dialling <- struct{}{}
			select {
			case <-dial:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return new(net.Dialer).DialContext(ctx, network, p.Addr)
	}, DialTimeout: patience})
	c := open(t, client, redis.WithPrefix(b.prefix))
	m, err := manager.New(c, manager.WithTTL(time.Minute), manager.WithLocalHandoffs(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	l, err := m.Lock("x").Acquire(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	ctx, giveUp := context.WithCancel(b.ctx)
	waiter := make(chan error, 1)
	go func() { _, err := m.Lock("x").Acquire(ctx); waiter <- err }()
	b.until("it waits", func() bool { return m.Stats().Waiting == 1 })
	w := b.queue(b.open(), mutex("x", time.Minute)) // of another process

	// An acquire of another name holds up the caller's own connection.
	arrived, late := make(chan struct{}), make(chan struct{})
	p.Judge(once("{y}", func() redistest.Verdict {
		close(arrived)
		<-late
		return redistest.Pass
	}))
	y := make(chan error, 1)
	go func() {
		l, err := m.Lock("y").TryAcquire(b.ctx)
		if err == nil {
			err = l.Release()
		}
		y <- err
	}()
	<-arrived
	slow.Store(true)
	released := make(chan error, 1)
	go func() { released <- l.Release() }()
	<-dialling
	giveUp()
	if err := <-waiter; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled waiter: %v", err)
	}
	select {
	case err := <-released:
		close(dial)
		close(late)
		t.Fatalf("Release: %v, before there was a connection", err)
	case <-time.After(300 * time.Millisecond): // long after the waiter's cancellation was handled
	}
	close(dial)
	if err := <-released; err != nil {
		t.Errorf("Release: %v", err)
	}
	w.granted()
	close(late)
	if err := <-y; err != nil {
		t.Error(err)
	}
}

// A release that does not reach the server is sent again when the server is back, without its
// caller.
func TestReleaseThatWasNotHeardIsTriedAgain(t *testing.T) {
	for what, verdict := range map[string]redistest.Verdict{
		"the request is lost": redistest.Swallow, "the connection is cut": redistest.Cut, "the reply is lost": redistest.DropReply,
	} {
		t.Run(dashed(what), func(t *testing.T) {
			b := newBed(t, server.Get(t))
			p := b.server.NewProxy(t)
			c, other := b.through(p), b.open()
			b.release(c, b.acquire(c, mutex("n", time.Minute)))
			g := b.acquire(c, mutex("n", time.Minute))
			gone := make(chan struct{})
			ctx, cancel := context.WithCancel(b.ctx)
			p.Judge(commands(func(int, []byte) redistest.Verdict {
				select {
				case <-gone:
					return redistest.Pass
				default:
					cancel()
					return verdict
				}
			}))
			if err := backends.Release(ctx, c, g); !errors.Is(err, context.Canceled) {
				t.Fatalf("Release: %v, want context.Canceled", err)
			}
			close(gone)
			b.release(other, b.acquire(other, mutex("n", time.Minute)))
			if err := backends.Release(b.ctx, c, g); err != nil {
				t.Errorf("the same release by its caller: %v", err)
			}
		})
	}
}

// A release whose context ends before anything is sent happens all the same.
func TestReleaseWithADoneContextHappens(t *testing.T) {
	b := newBed(t, server.Get(t))
	c, other := b.open(), b.open()
	g := b.acquire(c, mutex("n", time.Minute))
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if err := backends.Release(ctx, c, g); !errors.Is(err, context.Canceled) {
		t.Fatalf("Release: %v, want context.Canceled", err)
	}
	b.release(other, b.acquire(other, mutex("n", time.Minute)))
}

// A holder is told of no loss after it has called Release.
func TestReleaseThatWasNotConfirmedIsNoLoss(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c := b.through(p, redis.WithHeartbeat(50*time.Millisecond))
	r := mutex("n", time.Minute)
	events := make(chan backends.Event, 8)
	r.Notify = func(e backends.Event) { events <- e }
	g := b.acquire(c, r)
	ctx, cancel := context.WithCancel(b.ctx)
	p.Judge(commands(func(n int, _ []byte) redistest.Verdict {
		cancel()
		return redistest.DropReply
	}))
	if err := backends.Release(ctx, c, g); err == nil {
		t.Fatal("a release without any reply has succeeded")
	}
	c.Missing(g, false) // a heartbeat finds that it is not held
	select {
	case e := <-events:
		t.Errorf("told: %+v", e)
	default:
	}
	p.Judge(nil)
	p.CutAll()
}

// Close waits within its context until the server has confirmed every release.
func TestCloseReleasesWhenTheServerIsBack(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	p := b.server.NewProxy(t)
	c, d, other := b.through(p), b.through(p), b.open()
	b.acquire(c, mutex("c", time.Minute))
	b.acquire(d, mutex("d", time.Minute))
	tried := make(chan struct{}, 64)
	p.Judge(commands(func(int, []byte) redistest.Verdict {
		select {
		case tried <- struct{}{}:
		default:
		}
		return redistest.Cut
	}))
	ctx, cancel := context.WithCancel(b.ctx)
	impatient, patient := make(chan error, 1), make(chan error, 1)
	go func() { impatient <- d.Close(ctx) }()
	<-tried
	cancel()
	if err := <-impatient; !errors.Is(err, context.Canceled) {
		t.Errorf("Close whose ctx has ended: %v", err)
	}
	if err := d.Close(b.ctx); err != nil { // nothing of it runs soon after the first Close
		t.Errorf("Close again: %v", err)
	}
	for len(tried) > 0 {
		<-tried
	}
	go func() { patient <- c.Close(b.ctx) }()
	for range 10 { // attempts and their repetitions
		select {
		case <-tried:
		case err := <-patient:
			t.Fatalf("Close has given up: %v", err)
		}
	}
	select {
	case err := <-patient:
		t.Errorf("Close has given up: %v", err)
	default:
	}
	p.Judge(nil)
	if err := <-patient; err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := backends.TryAcquire(b.ctx, other, mutex("c", time.Minute)); err != nil {
		t.Errorf("TryAcquire of a name that Close released: %v", err)
	}
}

// However a release is sent, one that is repeated after its first copy had its effect is no loss,
// although another grant has come and gone since.
func TestRepeatedReleaseIsNoLossHoweverItIsSent(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	b.replicate(func(args ...string) *redistest.Server { return redistest.Start(t, args...) })
	release := func(c *redis.Backend, g backends.Grant) error { return backends.Release(b.ctx, c, g) }
	for what, test := range map[string]struct {
		opts    []redis.Option
		release func(c *redis.Backend, g backends.Grant) error
	}{
		"alone":              {nil, release},
		"through-the-pool":   {[]redis.Option{redis.WithSharedPool()}, release},
		"with-WAIT":          {[]redis.Option{redis.WithWaitReplicas(1, 10*time.Second)}, release},
		"with-a-request":     {nil, func(c *redis.Backend, g backends.Grant) error { return b.released(c, g) }},
		"a-request-and-WAIT": {[]redis.Option{redis.WithWaitReplicas(1, 10*time.Second)}, b.released},
	} {
		t.Run(what, func(t *testing.T) {
			p := b.server.NewProxy(t)
			c, other := b.through(p, test.opts...), b.open()
			b.release(c, b.acquire(c, mutex(what, time.Minute)))
			g := b.acquire(c, mutex(what, time.Minute))
			p.Judge(commands(func(n int, request []byte) redistest.Verdict {
				if n == 1 {
					return redistest.DropReply
				}
				if n == 2 { // the first copy has released, and its request is over
					b.until("it is free again", func() bool { return other.Break(b.ctx, what) == nil })
					h := b.acquire(other, mutex(what, time.Minute))
					b.release(other, h)
				}
				return redistest.Pass
			}))
			if err := test.release(c, g); err != nil {
				t.Errorf("a repeated release: %v", err)
			}
			if err := c.Close(b.ctx); err != nil { // it may have a late copy to forbid, through the proxy
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// released posts a request after the release of a grant, and releases the new grant.
func (b *bed) released(c *redis.Backend, g backends.Grant) error {
	r := mutex(g.Resource.Name, time.Minute)
	l := b.send(c, r, &g)
	if h := l.granted(); h.Token <= g.Token {
		b.Errorf("token %d after %d", h.Token, g.Token)
	}
	b.release(c, l.grant)
	return <-l.released
}

// A repeated Break would end a grant made since the first.
func TestBreakWhoseReplyIsLostIsNotRepeated(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	if err := c.Break(b.ctx, "n"); err != nil { // the server knows the script
		t.Fatal(err)
	}
	b.acquire(other, mutex("n", time.Minute))
	w := b.queue(other, mutex("n", time.Minute))
	p.Judge(func(request []byte) redistest.Verdict {
		if strings.Contains(string(request), "evalsha") || strings.Contains(string(request), "eval\r\n") {
			return redistest.DropReply
		}
		return redistest.Pass
	})
	if err := c.Break(b.ctx, "n"); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("Break whose reply is lost: %v, want ErrUnavailable", err)
	}
	h := w.granted()
	if r := b.renew(other, h, time.Minute); r.Err != nil {
		t.Errorf("Renew of what was granted since: %v", r.Err)
	}
	b.release(other, h)
}
