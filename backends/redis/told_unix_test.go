//go:build unix

package redis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// A process is stopped while it waits. Its message comes, its grant ends, and another one's begins, before it goes on: it must ask.
func TestProcessThatWasStoppedDoesNotBelieveAnOldMessage(t *testing.T) {
	b := newBed(t, server.Get(t))
	beat := redis.WithHeartbeat(100 * time.Millisecond)
	holder, next := b.open(beat), b.open(beat)
	g := b.acquire(holder, mutex("n", time.Minute))
	p := proctest.Start(t, "stopped", b.server.Addr, b.prefix, "n", "30s")
	b.until("the process waits", func() bool { return len(b.inspect(holder, "n").Waiters) == 1 })
	channel := b.prefix + "inbox:" + b.inspect(holder, "n").Waiters[0].ID.String()[:16]
	b.until("it listens", func() bool { return b.client.PubSubNumSub(b.ctx, channel).Val()[channel] == 1 })
	w := b.queue(next, mutex("n", time.Minute))
	p.Stop()
	b.release(holder, g)
	h := w.granted() // after the grant of the process was over
	p.Continue()
	b.until("the process asks anew", func() bool { return len(b.inspect(holder, "n").Waiters) == 1 })
	b.release(next, h)
	var token uint64
	if _, err := fmt.Sscan(p.Expect("held"), &token); err != nil {
		t.Fatal(err)
	}
	if token <= h.Token {
		t.Errorf("the process was granted token %d, after %d", token, h.Token)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}
