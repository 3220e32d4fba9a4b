package redis

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
