package redis_test

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// once judges the first chunk that contains word, and passes everything else.
func once(word string, verdict func() redistest.Verdict) func([]byte) redistest.Verdict {
	var done atomic.Bool
	return func(b []byte) redistest.Verdict {
		if bytes.Contains(b, []byte(word)) && done.CompareAndSwap(false, true) {
			return verdict()
		}
		return redistest.Pass
	}
}

func dropReply() redistest.Verdict { return redistest.DropReply }

func TestLostReplyOfAnAcquireGrantsOnce(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	b.release(c, b.acquire(c, mutex("n", time.Minute))) // the scripts are known, the connection is open
	p.Judge(once("evalsha", dropReply))
	g := b.acquire(c, mutex("n", time.Minute))
	s := b.inspect(other, "n")
	if len(s.Holders) != 1 || s.Holders[0].Token != g.Token || s.Token != g.Token {
		t.Fatalf("after a repeated acquire with token %d the server has %+v", g.Token, s)
	}
	b.release(c, g)
	if s := b.inspect(other, "n"); len(s.Holders) != 0 {
		t.Fatalf("left behind: %+v", s)
	}
}

func TestLostReplyOfAClaimGrantsOnce(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	holder, c := b.open(), b.through(p)
	g := b.acquire(holder, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	p.Judge(once("evalsha", dropReply))
	b.release(holder, g)
	h := w.granted()
	if s := b.inspect(holder, "n"); len(s.Holders) != 1 || s.Holders[0].Token != h.Token {
		t.Fatalf("granted token %d, the server has %+v", h.Token, s)
	}
}

func TestCallerReturnsAtItsDeadlineFromABlackHole(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c := b.through(p)
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
	p.BlackHole()
	ctx, cancel := context.WithTimeout(b.ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := backends.Acquire(ctx, c, mutex("n", time.Minute)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Acquire: %v, want context.DeadlineExceeded", err)
	}
	p.Judge(nil) // so that requests on the server are given back
	p.CutAll()
}

// listening waits until the client is subscribed to its inbox: then it knows that its request is queued.
func (b *bed) listening(c *redis.Backend) {
	b.Helper()
	b.until("the client listens", func() bool { return b.client.PubSubNumSub(b.ctx, c.Channel()).Val()[c.Channel()] == 1 })
}

func TestConnectionResetsAreSurvived(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c := b.through(p)
	g := b.acquire(c, mutex("n", time.Minute))
	for range 20 {
		p.CutAll()
		for { // each reset may cost an attempt, never the grant
			r := b.renew(c, g, time.Minute)
			if r.Err == nil {
				break
			}
			if !errors.Is(r.Err, backends.ErrUnavailable) {
				t.Fatalf("Renew: %v, want ErrUnavailable at worst", r.Err)
			}
		}
	}
	b.release(c, g)
}

func TestUnreachableServerIsUnavailable(t *testing.T) {
	b := newBed(t, server.Get(t))
	c := open(t, b.server.ClientOf(t, &goredis.Options{Addr: "127.0.0.1:1", Password: "secret-word", MaxRetries: -1}))
	_, err := backends.TryAcquire(b.ctx, c, mutex("n", time.Minute))
	if !errors.Is(err, backends.ErrUnavailable) || errors.Is(err, backends.ErrBusy) {
		t.Fatalf("TryAcquire: %v, want ErrUnavailable", err)
	}
	if bytes.Contains([]byte(err.Error()), []byte("secret-word")) {
		t.Fatalf("the password stands in %q", err)
	}
}
