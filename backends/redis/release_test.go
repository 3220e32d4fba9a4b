package redis_test

import (
	"testing"
	"time"
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
