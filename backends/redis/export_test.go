package redis

import "github.com/lockkeeper/lockkeeper/backends"

// ReadTimeout bounds a read.
const ReadTimeout = readTimeout

// Channel is the channel of the client's inbox.
func (b *Backend) Channel() string { return b.channel }

// Await makes cancelled acquires wait for their confirmation for as long as a slow machine may take.
func (b *Backend) Await() { b.patience = giveBackTime }

// Crash ends the client as the death of its process would: nothing is given back, nobody is told.
func (b *Backend) Crash() {
	b.desk.actor.Deliver(crash{})
	<-b.desk.closed
}

type crash struct{}

func (crash) on(d *desk) {
	d.closing, d.returns = true, returns{noRetry: true}
	stopAll(d.unsure)
	for _, p := range d.names {
		if p.timer != nil {
			p.timer.Stop()
		}
	}
	if d.pulse != nil {
		d.pulse.Stop()
	}
	d.deafen()
	d.settle()
}

// Overtake looks at everything as a heartbeat does, runs overtaken, and then handles an answer which says of all that
// waited at the look that it still waits: one that was sent before, and comes after, what overtaken does.
func (b *Backend) Overtake(overtaken func()) {
	l := b.look()
	r := []any{"-1", int64(0), "1"}
	for range l.ids {
		r = append(r, int64(codeQueued))
	}
	overtaken()
	b.desk.actor.Deliver(beaten{looks: []look{l}, results: []result{{val: r}}})
	b.look() // mail is handled in order: the answer has been
}

// Missing handles an answer to a heartbeat that finds none of the grants held. With releasing, the
// release of g is on its way meanwhile.
func (b *Backend) Missing(g backends.Grant, releasing bool) {
	l := b.look()
	r := []any{"-1", int64(0), "1"}
	for range l.ids {
		r = append(r, int64(codeBusy))
	}
	if releasing {
		b.desk.actor.Deliver(leaving{g.ID})
	}
	b.desk.actor.Deliver(beaten{looks: []look{l}, results: []result{{val: r}}})
	b.look() // mail is handled in order: the answer has been
}

// LookAgain looks at everything as a heartbeat does.
func (b *Backend) LookAgain() { b.desk.actor.Deliver(lookAgain{}) }

type lookAgain struct{}

func (lookAgain) on(d *desk) {
	for _, p := range d.names {
		d.due[p] = true
	}
	d.beat()
}

// Listens reports whether the inbox is open, and the look that follows its opening is over.
func (b *Backend) Listens() bool {
	is := make(chan bool, 1)
	b.desk.actor.Deliver(listens{is})
	return <-is
}

type listens struct{ is chan bool } // capacity 1

func (m listens) on(d *desk) {
	m.is <- d.inbox.subscribed && !d.inbox.fresh && !d.asking && len(d.due) == 0
}

// Hear handles a message as if it had come.
func (b *Backend) Hear(payload string) {
	b.desk.actor.Deliver(heard{payload})
	b.look() // mail is handled in order: the message has been
}

type heard struct{ payload string }

func (m heard) on(d *desk) { hint{d.inbox.sub, m.payload}.on(d) }

// look returns what a heartbeat would ask about the only place that there is.
func (b *Backend) look() look {
	looks := make(chan look, 1)
	b.desk.actor.Deliver(sight{looks})
	return <-looks
}

type sight struct{ looks chan look } // capacity 1

func (m sight) on(d *desk) {
	var l look
	for _, p := range d.names {
		l = p.look()
	}
	m.looks <- l
}
