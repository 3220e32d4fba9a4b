package redis_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

// letter is an operation that releases a grant, or none, and requests a name.
type letter struct {
	bed      *bed
	op       *backends.Op
	released chan error
	answered chan struct{}
	grant    backends.Grant
	err      error
}

// letter makes one.
func (b *bed) letter(r backends.Request, after *backends.Grant) *letter {
	l := &letter{bed: b, released: make(chan error, 1), answered: make(chan struct{})}
	l.op = &backends.Op{
		Acquire: []backends.Request{r}, Wait: true,
		Released: func(_ int, err error) { l.released <- err },
		Granted:  func(_ int, g backends.Grant, err error) { l.grant, l.err = g, err; close(l.answered) },
	}
	if after != nil {
		l.op.Release = []backends.Grant{*after}
	}
	return l
}

// send starts an operation, and does its work.
func (b *bed) send(c *redis.Backend, r backends.Request, after *backends.Grant) *letter {
	l := b.letter(r, after)
	c.Start(l.op)(b.ctx)
	return l
}

func (l *letter) granted() backends.Grant {
	l.bed.Helper()
	select {
	case <-l.answered:
	case <-l.bed.ctx.Done():
		l.bed.Fatal("an operation was not answered")
	}
	if l.err != nil {
		l.bed.Fatalf("an operation failed: %v", l.err)
	}
	return l.grant
}

// In strict order each turn of a process takes one command, a release that asks again, and one message.
func TestHandOffBetweenProcessesIsOneCommandAndOneMessage(t *testing.T) {
	b := newBed(t, server.Get(t))
	slow := redis.WithHeartbeat(time.Minute)
	holder := b.open(slow)
	const processes, each = 3, 20
	g := b.acquire(holder, mutex("n", time.Minute))
	b.until("the holder listens", holder.Listens)
	var all sync.WaitGroup
	for range processes {
		c := b.open(slow)
		m, err := manager.New(c, manager.WithTTL(time.Minute), manager.WithLocalHandoffs(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		for range each {
			all.Go(func() {
				l, err := m.Lock("n").Acquire(b.ctx)
				if err == nil {
					err = l.Release()
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		b.until("all wait", func() bool { return m.Stats().Waiting == each })
		b.until("the client listens", c.Listens)
	}
	b.until("every process waits", func() bool { return len(b.inspect(holder, "n").Waiters) == processes })
	b.server.ResetCalls(t)
	b.release(holder, g)
	all.Wait()
	calls := b.server.Calls(t)
	const grants = processes * each
	// The first release, and one for each. The server may not know a script yet.
	if n := calls["evalsha"] + calls["eval"]; n > grants+3 {
		t.Errorf("%d hand-offs took %d commands, want 1 each: %v", grants, n, calls)
	}
	if n := calls["publish"]; n > grants {
		t.Errorf("%d hand-offs took %d messages, want 1 each", grants, n)
	}
}

func TestHolderThatNeedNotHearOfWaitersIsNotTold(t *testing.T) {
	b := newBed(t, server.Get(t))
	for _, kind := range []backends.Kind{backends.Mutex, backends.ReadWrite} {
		holder, c := b.open(redis.WithHeartbeat(time.Minute)), b.open(redis.WithHeartbeat(time.Minute))
		r := mutex(kind.String(), time.Minute)
		if kind == backends.ReadWrite {
			r.Kind, r.Capacity = kind, backends.ReadWriteCapacity
		}
		r.Quiet = true
		g := b.acquire(holder, r)
		b.listening(holder)
		b.server.ResetCalls(t)
		r.Weight = r.Capacity
		w := b.queue(c, r)
		if n := b.server.Calls(t)["publish"]; n != 0 {
			t.Errorf("%v: %d messages to a holder that need not hear of waiters", kind, n)
		}
		if a := b.renew(holder, g, time.Minute); a.Err != nil || !a.Contended {
			t.Errorf("%v: a renewal that should say that others wait: %+v", kind, a)
		}
		b.release(holder, g)
		b.release(c, w.granted())
	}
}

// The reply to a release that asks again is lost, and the client library repeats the command.
func TestLostReplyOfAPostReleasesAndQueuesOnce(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	g := b.acquire(c, mutex("n", time.Minute))
	first := b.send(c, mutex("n", time.Minute), &g) // the server knows the script
	if err := <-first.released; err != nil {
		t.Fatal(err)
	}
	g = first.granted()
	w := b.queue(other, mutex("n", time.Minute))
	p.Judge(once("evalsha", dropReply))
	l := b.send(c, mutex("n", time.Minute), &g)
	if err := <-l.released; err != nil {
		t.Errorf("a release whose reply was lost: %v", err)
	}
	h := w.granted()
	if s := b.inspect(other, "n"); len(s.Waiters) != 1 || len(s.Holders) != 1 || s.Holders[0].ID != h.ID {
		t.Errorf("after a repeated command the server has %+v", s)
	}
	b.release(other, h)
	b.release(c, l.granted())
	if s := b.inspect(other, "n"); len(s.Waiters)+len(s.Holders) != 0 {
		t.Errorf("left: %+v", s)
	}
}

// An operation that the server refuses to run, for its memory is exhausted, releases all the same.
func TestReleaseDoesNotSufferFromTheRequestBehindIt(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	c := b.open()
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
	g := b.acquire(c, mutex("n", time.Minute))
	if err := b.client.ConfigSet(b.ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	l := b.send(c, mutex("n", time.Minute), &g)
	if err := <-l.released; err != nil {
		t.Errorf("the release: %v", err)
	}
	<-l.answered
	if !errors.Is(l.err, backends.ErrUnavailable) {
		t.Errorf("the request: %v, want ErrUnavailable", l.err)
	}
	if err := b.client.ConfigSet(b.ctx, "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
}

// A command that releases and asks is on its way when the request is given up, and what forbids the request overtakes it.
func TestForbiddenPostReleasesAllTheSame(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
	g := b.acquire(c, mutex("n", time.Minute))
	w := b.queue(other, mutex("n", time.Minute))
	late, arrived := make(chan struct{}), make(chan struct{})
	p.Judge(once("evalsha", func() redistest.Verdict {
		close(arrived)
		<-late
		return redistest.Pass
	}))
	l := b.letter(mutex("n", time.Minute), &g)
	work := c.Start(l.op)
	go work(b.ctx)
	<-arrived
	if work := c.Cancel(l.op); work != nil {
		go work(b.ctx)
	}
	if <-l.answered; !errors.Is(l.err, context.Canceled) {
		t.Errorf("cancelled: %v", l.err)
	}
	close(late)
	if err := <-l.released; err != nil {
		t.Errorf("the release: %v", err)
	}
	h := w.granted()
	if s := b.inspect(other, "n"); len(s.Waiters) != 0 {
		t.Errorf("waits although it was forbidden: %+v", s)
	}
	b.release(other, h)
}
