package redis

import "github.com/lockkeeper/lockkeeper/backends"

// ReadTimeout bounds a read.
const ReadTimeout = readTimeout

// Channel is the channel of the client's inbox.
func (b *Backend) Channel() string { return b.channel }

// Await makes cancelled acquires wait for their confirmation for as long as a slow machine may take.
func (b *Backend) Await() { b.patience = backgroundTime }

// Crash ends the client as the death of its process would: nothing is given back, nobody is told.
func (b *Backend) Crash() {
	b.client.actor.Deliver(crash{})
	<-b.client.closed
}

type crash struct{}

func (crash) on(cl *client) {
	cl.closing, cl.endings = true, endings{noRetry: true}
	cl.b.ended.Store(true)
	stopAll(cl.unsure)
	for _, p := range cl.names {
		if p.timer != nil {
			p.timer.Stop()
		}
	}
	if cl.heartbeat != nil {
		cl.heartbeat.Stop()
	}
	cl.deafen()
	cl.settle()
}

// Overtake looks at everything as a heartbeat does, runs overtaken, and then handles an answer which says of all that
// waited at the look that it still waits: one that was sent before, and comes after, what overtaken does.
func (b *Backend) Overtake(overtaken func()) {
	l := b.lookAtAll()
	r := []any{"-1", int64(0), "1"}
	for range l.ids {
		r = append(r, int64(codeQueued))
	}
	overtaken()
	b.client.actor.Deliver(looked{looks: []look{l}, results: []result{{val: r}}})
	b.lookAtAll() // mail is handled in order: the answer has been
}

// Missing handles an answer to a heartbeat that finds none of the grants held. With releasing, the
// release of g is on its way meanwhile.
func (b *Backend) Missing(g backends.Grant, releasing bool) {
	l := b.lookAtAll()
	r := []any{"-1", int64(0), "1"}
	for range l.ids {
		r = append(r, int64(codeBusy))
	}
	if releasing {
		b.client.actor.Deliver(leaving{g.ID})
	}
	b.client.actor.Deliver(looked{looks: []look{l}, results: []result{{val: r}}})
	b.lookAtAll() // mail is handled in order: the answer has been
}

// LookAgain looks at everything as a heartbeat does.
func (b *Backend) LookAgain() { b.client.actor.Deliver(lookAgain{}) }

type lookAgain struct{}

func (lookAgain) on(cl *client) {
	for _, p := range cl.names {
		cl.due[p] = true
	}
	cl.lookAtDue()
}

// Listens reports whether the inbox is open, and the look that follows its opening is over.
func (b *Backend) Listens() bool {
	is := make(chan bool, 1)
	b.client.actor.Deliver(listens{is})
	return <-is
}

type listens struct{ is chan bool } // capacity 1

func (m listens) on(cl *client) {
	m.is <- cl.inbox.subscribed && !cl.inbox.fresh && !cl.asking && len(cl.due) == 0
}

// Hear handles a message as if it had come.
func (b *Backend) Hear(payload string) {
	b.client.actor.Deliver(heard{payload})
	b.lookAtAll() // mail is handled in order: the message has been
}

type heard struct{ payload string }

func (m heard) on(cl *client) { published{cl.inbox.sub, m.payload}.on(cl) }

// look returns what a heartbeat would ask about the only place that there is.
func (b *Backend) lookAtAll() look {
	looks := make(chan look, 1)
	b.client.actor.Deliver(sight{looks})
	return <-looks
}

type sight struct{ looks chan look } // capacity 1

func (m sight) on(cl *client) {
	var l look
	for _, p := range cl.names {
		l = p.look()
	}
	m.looks <- l
}

// leaving says that a grant's release is on its way.
type leaving struct{ id backends.GrantID }

func (m leaving) on(cl *client) {
	if h := cl.heldBy(m.id); h != nil {
		h.leaving = true
	}
}

// SlotOf is the slot of a name in a cluster.
func SlotOf(name string) int { return slotOf(encode(name)) }
