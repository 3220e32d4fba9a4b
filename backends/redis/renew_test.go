package redis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

func TestManyLeasesAreRenewedInFewCommands(t *testing.T) {
	b := newBed(t, server.Get(t))
	c := b.open()
	const n = 1000 // a tenth of ten thousand, which may take a hundred commands
	rs := make([]backends.Renewal, n)
	for i := range rs {
		rs[i] = backends.Renewal{Grant: b.acquire(c, mutex(fmt.Sprint("n", i), time.Minute)), TTL: time.Minute}
	}
	c.Renew(b.ctx, rs[:1]) // the server knows the script
	calls := int64(n)
	for range 5 { // other commands, as when the inbox opens, only add to the count: take the least
		b.server.ResetCalls(t)
		for i, r := range c.Renew(b.ctx, rs) {
			if r.Err != nil || r.ValidUntil.Before(rs[i].Grant.ValidUntil) {
				t.Fatalf("renewal %d: %+v", i, r)
			}
		}
		calls = min(calls, b.server.Calls(t)["evalsha"])
	}
	if calls > n/100 {
		t.Errorf("%d leases were renewed in %d commands, want at most %d", n, calls, n/100)
	}
}

// A renewal whose reply is lost is repeated by the client: the grant stays, and its tokens do not repeat.
func TestRenewalRepeatedByTheClient(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c := b.through(p)
	g := b.acquire(c, mutex("n", time.Minute))
	last := g.Token
	b.renew(c, g, time.Minute)
	for range 3 {
		p.Judge(once("evalsha", dropReply))
		r := c.Renew(b.ctx, []backends.Renewal{{Grant: g, TTL: time.Minute, Tokens: 5}})[0]
		if r.Err != nil || r.Token <= last {
			t.Fatalf("Renew = %+v after token %d", r, last)
		}
		last = r.Token + 4
	}
	b.release(c, g)
}

// A shorter time to live does not take back what the holder was promised before.
func TestRenewalNeverShortens(t *testing.T) {
	b := newBed(t, server.Get(t))
	c := b.open()
	r := mutex("n", time.Minute)
	r.Kind, r.Capacity = backends.Semaphore, 3
	for range 2 { // a lone grant, and one of two
		g := b.acquire(c, r)
		a := b.renew(c, g, time.Second)
		if a.Err != nil || a.ValidUntil.Before(g.ValidUntil) {
			t.Fatalf("Renew = %+v; valid before until %v", a, g.ValidUntil)
		}
		for _, h := range b.inspect(c, "n").Holders {
			if h.Expires < 30*time.Second {
				t.Errorf("the server forgets the grant in %v, its holder was promised a minute", h.Expires)
			}
		}
	}
}
