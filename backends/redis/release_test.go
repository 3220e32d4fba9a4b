package redis_test

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

func TestLostReplyOfAReleaseIsNoLoss(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c := b.through(p)
	b.release(c, b.acquire(c, mutex("n", time.Minute))) // the server knows the scripts
	g := b.acquire(c, mutex("n", time.Minute))
	p.Judge(once("evalsha", dropReply))
	if err := backends.Release(b.ctx, c, g); err != nil {
		t.Fatalf("Release, repeated by the client: %v", err)
	}
}

// A name remembers its last release only, and when the release comes again that was another one.
func TestRepeatedReleaseAfterAnotherGrantIsNoLoss(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	b.release(c, b.acquire(c, mutex("n", time.Minute))) // the server knows the scripts
	g := b.acquire(c, mutex("n", time.Minute))
	var sent atomic.Int64
	var grant sync.Once // a busy machine has a third copy come while the second is judged
	p.Judge(func(request []byte) redistest.Verdict {
		if !bytes.Contains(request, []byte("evalsha")) {
			return redistest.Pass
		}
		if sent.Add(1) == 1 {
			return redistest.DropReply
		}
		grant.Do(func() { b.release(other, b.acquire(other, mutex("n", time.Minute))) })
		return redistest.Pass
	})
	if err := backends.Release(b.ctx, c, g); err != nil {
		t.Fatalf("Release, repeated by the client: %v", err)
	}
	if sent.Load() < 2 {
		t.Fatal("it was not repeated")
	}
}

// An acquire is held up in the network, a second copy of it is granted, and released; another grant comes and goes; then the first copy
// arrives.
func TestLateCopyOfAnAcquireHoldsNothing(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	b.release(c, b.acquire(c, mutex("n", time.Minute))) // the server knows the scripts, the connection is open
	copies := make(chan []byte, 1)
	judge := once("evalsha", func() redistest.Verdict { return redistest.Cut })
	p.Judge(func(request []byte) redistest.Verdict {
		v := judge(request)
		if v == redistest.Cut {
			copies <- bytes.Clone(request)
		}
		return v
	})
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
	b.release(other, b.acquire(other, mutex("n", time.Minute)))

	late, err := net.Dial("tcp", b.server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if _, err := late.Write(<-copies); err != nil {
		t.Fatal(err)
	}
	if _, err := late.Read(make([]byte, 1)); err != nil { // the answer: it was executed
		t.Fatal(err)
	}
	b.until("the late copy holds nothing", func() bool { return len(b.inspect(other, "n").Holders) == 0 })
	b.release(other, b.acquire(other, mutex("n", time.Minute)))
}

// A heartbeat that the server handles after a release finds the grant gone, and its answer may be handled first.
func TestAHeartbeatTakesNoReleaseForALoss(t *testing.T) {
	b := newBed(t, server.Get(t))
	c := b.open(redis.WithHeartbeat(20 * time.Second))
	r := mutex("n", time.Minute)
	events := make(chan backends.Event, 8)
	r.Notify = func(e backends.Event) { events <- e }
	g := b.acquire(c, r)
	c.Missing(g, true)
	select {
	case e := <-events:
		t.Errorf("a grant that was being released counts as lost: %v", e.Err)
	default: // the answer has been handled, and tells in its turn
	}
	b.release(c, g)
	h := b.acquire(c, r)
	c.Missing(h, false) // nobody releases it: it was lost indeed
	select {
	case e := <-events:
		if e.Type != backends.Lost || e.Grant != h.ID {
			t.Errorf("%+v, want the loss of the grant", e)
		}
	default:
		t.Error("the loss was not told")
	}
	b.release(c, h)
}
