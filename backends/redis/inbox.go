package redis

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

const (
	warmAfter     = 50 * time.Millisecond // a grant held for longer wants to know who waits for it
	coolAfter     = 5 * time.Second       // without use an inbox is closed
	subscribeTime = 5 * time.Second
	receivePause  = 100 * time.Millisecond // after an error of the connection
)

// inbox is the channel on which a client hears of grants and of waiters. What it misses is found by the heartbeat. It is open while something waits, or has been held
// for a while, so that a client that nobody competes with costs no subscription.
type inbox struct {
	sub        *redis.PubSub // nil: closed
	subscribed bool
	fresh      bool // no look has begun since it was subscribed
	warming    *actor.Timer
	cooling    *actor.Timer
	awaited    map[uint64]*actor.Timer // grants that the heartbeat found before their message came
}

func hexID(id uint64) string { return idText("", backends.GrantID{Client: id})[:16] }

// warm sees to it that a holder hears of waiters.
func (cl *client) warm() {
	if in := &cl.inbox; in.sub == nil && in.warming == nil && !cl.closing {
		in.warming = cl.actor.After(warmAfter, warmed{})
	}
}

type warmed struct{}

func (warmed) on(cl *client) {
	cl.inbox.warming = nil
	if len(cl.held) > 0 {
		cl.listen()
	}
}

// cool sees to it that an inbox that nobody needs is closed.
func (cl *client) cool() {
	if in := &cl.inbox; in.sub != nil && in.cooling == nil && !cl.closing {
		in.cooling = cl.actor.After(coolAfter, cooled{})
	}
}

type cooled struct{}

func (cooled) on(cl *client) {
	cl.inbox.cooling = nil
	if len(cl.waiting) == 0 && len(cl.held) == 0 {
		cl.deafen()
	}
}

// listen opens the inbox. Requests that were queued before the subscription stands are looked at when it does, so no grant is
// missed in between.
func (cl *client) listen() {
	if cl.inbox.sub != nil || cl.closing {
		return
	}
	b := cl.b
	sub := b.conns.calls.Subscribe(context.Background())
	cl.inbox.sub, cl.inbox.awaited = sub, make(map[uint64]*actor.Timer)
	cl.task(func() message {
		ctx, cancel := context.WithTimeout(context.Background(), subscribeTime)
		defer cancel()
		_ = sub.Subscribe(ctx, b.channel) // what failed now is tried again by receive
		cl.receiveFrom(sub)
		return nil
	})
}

// receiveFrom hands messages to the client until the subscription is closed. It is the only reader, so it handles a message on its
// own goroutine when the client is at rest: the way from a release to the next holder is short. After an error the
// next Receive connects and subscribes again.
func (cl *client) receiveFrom(sub *redis.PubSub) {
	for {
		switch m, err := sub.Receive(context.Background()); {
		case errors.Is(err, redis.ErrClosed):
			return
		case err != nil:
			relook(context.Background(), cl.b.conns.calls, err)
			<-time.After(receivePause)
		default:
			switch m := m.(type) {
			case *redis.Subscription:
				cl.actor.Deliver(subscribed{sub})
			case *redis.Message:
				cl.actor.Deliver(published{sub, m.Payload})
			}
		}
	}
}

// deafen closes the inbox.
func (cl *client) deafen() {
	in := &cl.inbox
	for _, t := range []*actor.Timer{in.warming, in.cooling} {
		if t != nil {
			t.Stop()
		}
	}
	stopAll(in.awaited)
	sub := in.sub
	*in = inbox{}
	if sub != nil {
		cl.task(func() message {
			sub.Close() // what it was for is over
			return nil
		})
	}
}

// subscribed says that messages arrive from now on. What was sent before, or while the connection was cut, is lost: so
// everything is looked at.
type subscribed struct{ sub *redis.PubSub }

func (m subscribed) on(cl *client) {
	if cl.inbox.sub != m.sub {
		return
	}
	cl.inbox.subscribed, cl.inbox.fresh = true, true
	for _, p := range cl.names {
		if p.waiting.Len() > 0 || len(p.held) > 0 {
			cl.due[p] = true
		}
	}
	cl.lookAtDue()
}

// overdue says that a message has not come that should have: the inbox is opened anew.
type overdue struct {
	seq uint64
	sub *redis.PubSub
}

func (m overdue) on(cl *client) {
	if cl.inbox.sub != m.sub {
		return
	}
	cl.deafen()
	cl.listen()
}

// published is a message to the client: a word, numbers, and a name. "g" tells which requests were granted, with "1" if others wait; "c" that others wait;
// "t" that another client has found the name busy; "b" that grants were broken; "m" that there may be room for more than one command could grant, or that the next deadline is another one.
type published struct {
	sub     *redis.PubSub
	payload string
}

func (m published) on(cl *client) {
	word, rest, _ := strings.Cut(m.payload, " ")
	numbers, name, ok := strings.Cut(rest, " ")
	if !ok || cl.closing || cl.inbox.sub != m.sub {
		return
	}
	p := cl.names[name]
	switch {
	case word == "g0" || word == "g1":
		for s := range strings.SplitSeq(numbers, ",") {
			cl.woken(name, s, word == "g1")
		}
		if word == "g1" && p != nil {
			p.contend()
		}
	case word == "c" && p != nil:
		p.news = p.asked > 0 || p.waiting.Len() > 0
		p.contend()
	case word == "t" && p != nil:
		p.tried = p.asked > 0 || p.waiting.Len() > 0
		for _, h := range p.held {
			h.tried()
		}
	case word == "m" && p != nil:
		p.expires = time.Time{} // the next deadline may be another one: the look must find out
		cl.due[p] = true
		cl.lookAtDue()
	case word == "b" && p != nil:
		p.broken = true
		cl.due[p] = true
		cl.lookAtDue()
	}
}
