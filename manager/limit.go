package manager

// limit starts the limit of a part of an All that has become whole.
type limit struct {
	*lease
	d instant // from when the keeper handles the message
}

// limit sets the limit of a lease that is held.
func (k *keeper) limit(l *lease, d instant) {
	if k.retired || l.req.place != holding {
		return
	}
	until := k.m.now() + d
	if n := l.req.nestOf(l); n != nil {
		n.until = until
	} else {
		l.req.until = until
	}
	k.watch(until)
}

// nest counts a re-entrant lease in, if the grant is still held.
func (k *keeper) nest(n *nest) {
	r := n.req
	switch {
	case r.place == holding && r.handles > 0:
		r.handles++
		if r.nested == nil {
			r.nested = new([]*nest)
		}
		*r.nested = append(*r.nested, n)
		k.counters.granted(0)
		if n.until > 0 {
			n.until += k.m.now()
			k.watch(n.until)
		}
	default:
		n.result = r.gone() // not counted: the caller makes a plain acquire instead
	}
	n.settle()
}

// gone says why a grant is not there to be entered again.
func (r *request) gone() error {
	if err := r.err(); err != nil {
		return err
	}
	return ErrReleased
}

// nestOf returns the re-entrant acquire that made the lease, nil if the request itself did.
func (r *request) nestOf(l *lease) *nest {
	for _, n := range r.reentered() {
		if &n.lease == l {
			return n
		}
	}
	return nil
}

// reentered returns the re-entrant acquires that are held or are in their stop margin.
func (r *request) reentered() []*nest {
	if r.nested == nil {
		return nil
	}
	return *r.nested
}

// endNested ends the re-entrant leases that have reached their limit, and no other leases of their
// grant. A stop margin later, as after any loss of a re-entrant lease, the grant no longer waits for
// their release.
func (k *keeper) endNested(now instant) {
	var due []*nest
	for r := k.holders.head; r != nil; r = r.next {
		for _, n := range r.reentered() {
			switch {
			case n.until == 0:
			case now >= n.until:
				due = append(due, n)
			default:
				k.watch(n.until)
			}
		}
	}
	for _, n := range due {
		if n.over {
			k.release(&n.lease, nil)
		} else {
			k.loseNested(n, MaxHold, now)
		}
	}
}

// loseNested ends a re-entrant lease, unless it has ended: then its release is on its way, or its
// caller found it expired, or it is over.
func (k *keeper) loseNested(n *nest, reason LostReason, now instant) {
	if n.over {
		return
	}
	n.until = 0
	lost := &LostError{Name: k.name, Token: n.req.token, Reason: reason}
	if !n.finish(&ending{lost}) {
		return
	}
	n.over, n.until = true, now+instant(k.m.cfg.margin)
	k.counters.lost(reason, 1)
	k.m.logLost(lost)
	k.watch(n.until)
}
