package manager

// limit says that a lease may be held for so long from now on: it is a part of an All that has
// become whole.
type limit struct {
	*lease
	d instant
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

// nestOf returns the re-entrant acquire that the lease is of, nil if it is that of the grant.
func (r *request) nestOf(l *lease) *nest {
	for _, n := range r.reentered() {
		if &n.lease == l {
			return n
		}
	}
	return nil
}

// reentered returns the re-entrant acquires that are held, or wait for the end of their margin.
func (r *request) reentered() []*nest {
	if r.nested == nil {
		return nil
	}
	return *r.nested
}

// endNested ends re-entrant leases that have been held for as long as they may, and no others of
// their grant. A stop margin later the grant does not wait for their release any more.
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
			continue
		}
		n.until = 0
		lost := &LostError{Name: k.name, Token: n.req.token, Reason: MaxHold}
		if !n.finish(&ending{lost}) {
			continue // its release is on its way, or it has seen by the clock that it is lost
		}
		n.over, n.until = true, now+instant(k.m.cfg.margin)
		k.counters.Lost++
		k.m.logLost(lost)
		k.watch(n.until)
	}
}
