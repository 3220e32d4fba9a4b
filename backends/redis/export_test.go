package redis

import "github.com/lockkeeper/lockkeeper/backends"

// Channel is the channel of the client's inbox.
func (b *Backend) Channel() string { return b.channel }

// Crash ends the client as the death of its process would: nothing is given back, nobody is told.
func (b *Backend) Crash() {
	b.desk.actor.Deliver(crash{})
	<-b.desk.closed
}

type crash struct{}

func (crash) on(d *desk) {
	d.closing, d.returning, d.returns = true, false, nil
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
	r := []any{"-1", int64(0)}
	for range l.ids {
		r = append(r, int64(codeQueued))
	}
	overtaken()
	b.desk.actor.Deliver(beaten{looks: []look{l}, results: []result{{val: r}}})
	b.look() // mail is handled in order: the answer has been
}

// Missing handles an answer to a heartbeat which says of all that is held that it is not; the release of g is on its way or not.
func (b *Backend) Missing(g backends.Grant, releasing bool) {
	l := b.look()
	r := []any{"-1", int64(0)}
	for range l.ids {
		r = append(r, int64(codeBusy))
	}
	b.desk.actor.Deliver(leaving{g.ID, releasing})
	b.desk.actor.Deliver(beaten{looks: []look{l}, results: []result{{val: r}}})
	b.look() // mail is handled in order: the answer has been
}

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
