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
	fresh      bool // no beat has begun since it was subscribed
	warming    *actor.Timer
	cooling    *actor.Timer
	awaited    map[uint64]*actor.Timer // grants that the heartbeat found before their message came
}

func hexID(id uint64) string { return idText(backends.GrantID{Client: id})[:16] }

// warm sees to it that a holder hears of waiters.
func (d *desk) warm() {
	if in := &d.inbox; in.sub == nil && in.warming == nil && !d.closing {
		in.warming = d.actor.After(warmAfter, warmed{})
	}
}

type warmed struct{}

func (warmed) on(d *desk) {
	d.inbox.warming = nil
	if len(d.held) > 0 {
		d.listen()
	}
}

// cool sees to it that an inbox that nobody needs is closed.
func (d *desk) cool() {
	if in := &d.inbox; in.sub != nil && in.cooling == nil && !d.closing {
		in.cooling = d.actor.After(coolAfter, cooled{})
	}
}

type cooled struct{}

func (cooled) on(d *desk) {
	d.inbox.cooling = nil
	if len(d.waiting) == 0 && len(d.held) == 0 {
		d.deafen()
	}
}

// listen opens the inbox. Requests that were queued before the subscription stands are looked at when it does, so no grant is
// missed in between.
func (d *desk) listen() {
	if d.inbox.sub != nil || d.closing {
		return
	}
	b := d.b
	sub := b.clients.calls.Subscribe(context.Background())
	d.inbox.sub, d.inbox.awaited = sub, make(map[uint64]*actor.Timer)
	d.task(func() message {
		ctx, cancel := context.WithTimeout(context.Background(), subscribeTime)
		defer cancel()
		_ = sub.Subscribe(ctx, b.channel) // what failed now is tried again by receive
		d.receiveFrom(sub)
		return nil
	})
}

// receiveFrom hands messages to the desk until the subscription is closed. It is the only reader, so it handles a message on its
// own goroutine when the desk is at rest: the way from a release to the next holder is short. After an error the
// next Receive connects and subscribes again.
func (d *desk) receiveFrom(sub *redis.PubSub) {
	for {
		switch m, err := sub.Receive(context.Background()); {
		case errors.Is(err, redis.ErrClosed):
			return
		case err != nil:
			relook(context.Background(), d.b.clients.calls, err)
			<-time.After(receivePause)
		default:
			switch m := m.(type) {
			case *redis.Subscription:
				d.actor.Deliver(subscribed{sub})
			case *redis.Message:
				d.actor.Deliver(hint{sub, m.Payload})
			}
		}
	}
}

// deafen closes the inbox.
func (d *desk) deafen() {
	in := &d.inbox
	for _, t := range []*actor.Timer{in.warming, in.cooling} {
		if t != nil {
			t.Stop()
		}
	}
	stopAll(in.awaited)
	sub := in.sub
	*in = inbox{}
	if sub != nil {
		d.task(func() message {
			sub.Close() // what it was for is over
			return nil
		})
	}
}

// subscribed says that messages arrive from now on. What was sent before, or while the connection was cut, is lost: so
// everything is looked at.
type subscribed struct{ sub *redis.PubSub }

func (m subscribed) on(d *desk) {
	if d.inbox.sub != m.sub {
		return
	}
	d.inbox.subscribed, d.inbox.fresh = true, true
	for _, p := range d.names {
		if p.waiting.Len() > 0 || len(p.held) > 0 {
			d.due[p] = true
		}
	}
	d.beat()
}

// overdue says that a message has not come that should have: the inbox is opened anew.
type overdue struct {
	seq uint64
	sub *redis.PubSub
}

func (m overdue) on(d *desk) {
	if d.inbox.sub != m.sub {
		return
	}
	d.deafen()
	d.listen()
}

// hint is a message: a word, numbers, and a name. "g" tells which requests were granted, with "1" if others wait; "c" that others wait;
// "b" that grants were broken; "m" that there may be room for more than one command could grant.
type hint struct {
	sub     *redis.PubSub
	payload string
}

func (m hint) on(d *desk) {
	word, rest, _ := strings.Cut(m.payload, " ")
	numbers, name, ok := strings.Cut(rest, " ")
	if !ok || d.closing || d.inbox.sub != m.sub {
		return
	}
	p := d.names[name]
	switch {
	case word == "g0" || word == "g1":
		for s := range strings.SplitSeq(numbers, ",") {
			d.noticed(name, s, word == "g1")
		}
		if word == "g1" && p != nil {
			p.contend()
		}
	case word == "c" && p != nil:
		p.news = p.asked > 0 || p.waiting.Len() > 0
		p.contend()
	case word == "m" && p != nil:
		d.due[p] = true
		d.beat()
	case word == "b" && p != nil:
		p.broken = true
		d.due[p] = true
		d.beat()
	}
}
