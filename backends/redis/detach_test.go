package redis_test

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

var proof = backends.Proof{1, 2, 3, 31: 4}

func detachment(g backends.Grant, ttl time.Duration) backends.Detachment {
	return backends.Detachment{Grant: g, Token: g.Token, TTL: ttl, Proof: proof}
}

func adoption(g backends.Grant) backends.Adoption {
	return backends.Adoption{ID: g.ID, Proof: proof, Request: mutex(g.Resource.Name, time.Minute)}
}

// detached returns a detached grant of "n", whose scripts the server knows.
func (b *bed) detached(c *redis.Backend) backends.Grant {
	b.Helper()
	b.release(c, b.adopt(c, b.detach(c, b.acquire(c, mutex("warm", time.Minute)))))
	return b.detach(c, b.acquire(c, mutex("n", time.Minute)))
}

func (b *bed) detach(c *redis.Backend, g backends.Grant) backends.Grant {
	b.Helper()
	if err := c.Detach(b.ctx, detachment(g, time.Minute)); err != nil {
		b.Fatalf("Detach: %v", err)
	}
	return g
}

func (b *bed) adopt(c *redis.Backend, g backends.Grant) backends.Grant {
	b.Helper()
	n, err := c.Adopt(b.ctx, adoption(g))
	if err != nil {
		b.Fatalf("Adopt: %v", err)
	}
	if n.Token != g.Token {
		b.Errorf("token %d; want %d", n.Token, g.Token)
	}
	return n
}

// An adoption or a detachment whose answer was lost is repeated, and finds that it is done.
func TestLostReplyOfADetachmentOrAnAdoption(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	g := b.detached(c)
	p.Judge(once(hex.EncodeToString(proof[:]), dropReply))
	n := b.adopt(c, g)
	if _, err := c.Adopt(b.ctx, adoption(g)); !errors.Is(err, backends.ErrTicket) {
		t.Errorf("Adopt with a ticket used before: %v; want ErrTicket", err)
	}
	if r := b.renew(c, n, time.Minute); r.Err != nil {
		t.Errorf("Renew: %v", r.Err)
	}
	p.Judge(once("evalsha", dropReply))
	b.detach(c, n)
	p.Judge(nil)
	if err := backends.Release(b.ctx, c, n); !errors.Is(err, backends.ErrLost) {
		t.Errorf("Release of a detached grant: %v; want ErrLost", err)
	}
	b.release(other, b.adopt(other, n))
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
}

// An adoption whose caller has gone has no effect when it comes late, and is given back if it had
// one.
func TestAdoptionWhoseCallerHasGone(t *testing.T) {
	for what, late := range map[string]bool{"the command comes late": true, "the answer is lost": false} {
		t.Run(dashed(what), func(t *testing.T) {
			b := newBed(t, server.Get(t))
			p := b.server.NewProxy(t)
			c, other := b.through(p), b.open()
			g := b.detached(c)
			ctx, cancel := context.WithCancel(b.ctx)
			arrive, arrived := make(chan struct{}), make(chan struct{})
			var gone atomic.Bool
			p.Judge(once(hex.EncodeToString(proof[:]), func() redistest.Verdict {
				defer close(arrived)
				gone.Store(true)
				cancel()
				if !late {
					return redistest.DropReply
				}
				<-arrive
				return redistest.Pass
			}))
			if n, err := c.Adopt(ctx, adoption(g)); !errors.Is(err, context.Canceled) {
				t.Fatalf("Adopt = %+v, %v; want context.Canceled", n, err)
			}
			if !gone.Load() {
				t.Fatal("no command was sent")
			}
			if !late {
				b.release(other, b.acquire(other, mutex("n", time.Minute))) // long before its time is over
				return
			}
			b.until("the adoption is forbidden", func() bool {
				for field := range b.client.HGetAll(b.ctx, b.hash("n")).Val() {
					if strings.HasPrefix(field, "x:") {
						return true
					}
				}
				return false
			})
			close(arrive)
			<-arrived
			n := b.adopt(other, g)
			if r := b.renew(other, n, time.Minute); r.Err != nil {
				t.Errorf("Renew: %v", r.Err)
			}
			b.release(other, n)
		})
	}
}

// A copy of the acquire that may still come must not bring the grant back to its old client.
func TestDetachedGrantWhoseAcquireWasCopied(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
	p.Judge(once("evalsha", dropReply))
	g := b.acquire(c, mutex("n", time.Minute))
	b.detach(c, g)
	b.until("a copy is forbidden", func() bool {
		return b.client.HExists(b.ctx, b.hash("n"), "x:"+g.ID.String()).Val()
	})
	b.release(other, b.adopt(other, g))
}

// A release of a client that closes may reach the server before the adoption that it follows. Then the
// adoption has no effect, and the ticket is as good as before.
func TestCloseOvertakesAdopt(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	g := b.detached(other)
	closed := make(chan error, 1)
	p.Judge(once(hex.EncodeToString(proof[:]), func() redistest.Verdict {
		go func() { closed <- c.Close(b.ctx) }()
		b.until("the adoption is forbidden", func() bool {
			return slices.ContainsFunc(b.client.HKeys(b.ctx, b.hash("n")).Val(), func(field string) bool { return strings.HasPrefix(field, "x:") })
		})
		return redistest.Pass
	}))
	if n, err := c.Adopt(b.ctx, adoption(g)); !errors.Is(err, backends.ErrClosed) {
		t.Errorf("Adopt = %+v, %v; want ErrClosed", n, err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	b.release(other, b.adopt(other, g))
}

// The client that closes while it adopts gives the grant back, or the ticket stays good.
func TestCloseBesideAdopt(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	g := b.detached(other)
	closed := make(chan error, 1)
	begun := make(chan struct{})
	p.Judge(once(hex.EncodeToString(proof[:]), func() redistest.Verdict {
		go func() { closed <- c.Close(b.ctx) }()
		<-begun
		return redistest.Pass
	}))
	go func() {
		b.until("it closes", func() bool { _, err := c.Inspect(b.ctx, "n"); return errors.Is(err, backends.ErrClosed) })
		close(begun)
	}()
	n, err := c.Adopt(b.ctx, adoption(g))
	if e := <-closed; e != nil {
		t.Errorf("Close: %v", e)
	}
	if err == nil || errors.Is(err, backends.ErrTicket) {
		t.Errorf("Adopt = %+v, %v; want an error", n, err)
	}
	if n, err := other.Adopt(b.ctx, adoption(g)); err == nil {
		b.release(other, n)
	} else if !errors.Is(err, backends.ErrTicket) {
		t.Errorf("Adopt afterwards: %v", err)
	}
	b.release(other, b.acquire(other, mutex("n", time.Minute)))
}
