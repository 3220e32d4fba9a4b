package redis_test

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
)

func TestLostReplyOfAReleaseIsNoLoss(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c := b.through(p)
	b.release(c, b.acquire(c, mutex("n", time.Minute))) // the server knows the scripts
	g := b.acquire(c, mutex("n", time.Minute))
	p.Judge(once("evalsha", dropReply))
	if err := c.Release(b.ctx, g); err != nil {
		t.Fatalf("Release, repeated by the client: %v", err)
	}
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
	c.Missing(g, false) // the release has failed, and the grant was lost indeed
	select {
	case e := <-events:
		if e.Type != backends.Lost || e.Grant != g.ID {
			t.Errorf("%+v, want the loss of the grant", e)
		}
	default:
		t.Error("the loss was not told")
	}
	b.release(c, g)
}
