package file

// announce tells holders and waiters what has happened to them.
func (r *resource) announce() {
	for _, e := range r.turn.events {
		e.notify(e.Event)
	}
	clear(r.turn.events)
	r.turn.events = r.turn.events[:0]
}

// tell answers, when the tables are unlocked: releases first.
func tell(rs []*resource) {
	for _, r := range rs {
		r.announce()
		for _, l := range r.turn.released {
			l.answer(l.err)
		}
		for _, q := range r.turn.queries {
			q.answer(nil)
		}
	}
	for _, r := range rs {
		for _, p := range r.turn.minted {
			if p.err == nil && !p.answer(nil) { // a cancel was faster
				r.actor.Tell(message{verb: releaseUntold, part: p}) // pending takes mail meanwhile
			}
		}
		for _, p := range r.turn.refused {
			p.answer(p.err)
		}
	}
	for _, r := range rs {
		for _, o := range r.turn.broken {
			o.cancel(*o.cancelled.Load())
		}
		for i := range r.batch {
			if m := &r.batch[i]; m.op != nil {
				m.op.finish(m.step, r)
			}
		}
		clear(r.batch)
		r.batch = r.batch[:0]
	}
}

// conclude ends a turn under the lock: the table is unlocked, and everybody has been told.
func (r *resource) conclude() {
	r.announce()
	for _, client := range r.turn.targets {
		if !r.b.dir.Wake(client, r.stem) {
			r.pending = append(r.pending, message{verb: died, client: client})
		}
	}
	acks, gone := r.turn.acks, r.turn.gone
	r.turn.reset()
	if len(r.pending) > 0 { // each death is reported once, so this comes to an end
		r.turn.acks, r.turn.gone = acks, gone
		r.work()
		return
	}
	r.arm()
	if gone != nil && !r.locking && len(r.parts) == 0 {
		r.retire()
	}
	for range acks {
		r.retire()
		r.b.watcher.actor.Tell(news{verb: resourceShut})
	}
}
