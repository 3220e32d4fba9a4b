package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// listening returns a client whose inbox is open, as far as it knows, and whose heartbeats are a minute
// apart.
func listening(t *testing.T) (b *Backend, open func() bool) {
	b = unreachable(t)
	b.opt.heartbeat = time.Minute
	closed := false
	b.client.inbox.stop = func() { closed = true }
	return b, func() bool { return !closed }
}

// An inbox is closed when it has not been used for a while, and not when it is out of use at a moment.
func TestAnInboxInUseStaysOpen(t *testing.T) {
	b, open := listening(t)
	cl := b.client
	cl.tidy() // something was held until now
	b.tell(cooled{})
	if !open() || cl.inbox.cooling.timer == nil {
		t.Fatalf("an inbox that was just used: open %v, looked at again %v", open(), cl.inbox.cooling.timer != nil)
	}
	cl.inbox.idle = time.Now().Add(-coolAfter)
	b.tell(cooled{})
	if open() {
		t.Fatal("an inbox out of use stays open")
	}
}

// What asks for a heartbeat while one is on its way gets one of its own: that one may have looked before.
func TestALookDuringAHeartbeatIsNotLost(t *testing.T) {
	for what, look := range map[string]func(*client){
		"messages may have been lost":   func(cl *client) { subscribed{cl.inbox.number}.on(cl) },
		"a grant may be overdue sooner": func(cl *client) { cl.keepHeartbeat(time.Second) },
	} {
		b, _ := listening(t)
		cl := b.client
		op := &backends.Op{
			Acquire: []backends.Request{{Resource: backends.Resource{Name: "n", Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1, TTL: time.Minute}},
			Wait:    true, Granted: func(int, backends.Grant, error) {},
		}
		b.Start(op)
		q := &op.State.(*operation).requests[0]
		q.asking, q.queued = false, true
		cl.heartbeat.busy = true
		look(cl)
		b.tell(looked{[]int64{int64(q.id.Seq)}, answer{numbers: []int64{1764000000000001, 0}, sent: time.Now()}, true})
		if in := time.Until(cl.heartbeat.at); cl.heartbeat.timer == nil || in > b.opt.heartbeat/2 {
			t.Errorf("%s: the next heartbeat comes in %v", what, in)
		}
		if work := b.Cancel(op); work != nil {
			work(context.Background())
		}
	}
}
