package file

import (
	"slices"

	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// arm schedules the next wake-up, at the end of a turn. A resource out of use keeps only the timer that retires it.
func (r *resource) arm() {
	if r.locking {
		return // the task will
	}
	r.watchClients()
	r.watchLock()
	r.watchKept()
	idle := len(r.parts) == 0 && !r.unsaved
	if idle != r.lingering {
		r.linger(idle)
	}
	if idle && r.slow {
		r.timer.Stop()
		r.timer, r.slow = nil, false
	}
	switch {
	case r.retired || r.timer != nil:
	case idle && r.b.lingering.Load() > mostLingering:
		r.retire()
	case idle, !r.settled: // the first tick, and the last
		r.setTimer()
	case r.waiters > 0, r.unsaved, !r.b.watcher.reporting.Load():
		r.setTimer()
	}
}

func (r *resource) linger(idle bool) {
	r.lingering = idle
	if idle {
		r.settled = false
		r.b.lingering.Add(1)
	} else {
		r.b.lingering.Add(-1)
	}
}

func (r *resource) setTimer() {
	d := r.b.timing.net
	if r.slow = r.settled; !r.slow {
		d = r.b.timing.linger
	}
	r.timer = r.actor.After(d, message{verb: tick})
}

// tick retires a resource that was out of use for a while. One in use has its files looked at, and is reported
// their removal from now on: uses that are shorter than that need not pay for it.
func (r *resource) tick() {
	r.timer, r.slow = nil, false
	switch {
	case r.retired:
	case r.lingering && r.used:
		r.used = false
		if lockdir.Gone(r.b.dir.Intact()) && !r.locking {
			r.retire() // the next use opens the table, and is refused
			return
		}
		r.setTimer()
	case r.lingering && r.locking:
		r.setTimer()
	case r.lingering:
		r.retireIdle()
	default:
		r.settled = true
		r.b.watcher.actor.Tell(news{verb: report})
		r.pending = append(r.pending, message{verb: verify})
		r.work()
	}
}

// retireIdle removes the last line of a resource that is out of use, and retires it.
func (r *resource) retireIdle() {
	if r.leftover {
		r.pending = append(r.pending, message{verb: tidyUp})
		r.work()
	}
	if !r.locking && !r.leftover {
		r.retire()
	}
}

// closeIdle has names that are out of use close their files at once, instead of a tenth of a second
// after their last use. It may be called in the turn of a resource or of the watcher: it does not
// wait for a resource that is in a turn.
func (b *Backend) closeIdle() {
	for _, r := range b.resources.Range {
		r.(*resource).actor.TryDeliver(message{verb: closeIdle})
	}
}

// retire closes everything and takes the resource out of the index, for good.
func (r *resource) retire() {
	if r.retired {
		return
	}
	r.retired = true
	if r.timer != nil {
		r.timer.Stop()
		r.timer, r.slow = nil, false
	}
	r.kernel.close()
	r.table.Close()
	if r.lingering {
		r.linger(false)
	}
	r.waiters = 0
	r.watchClients()
	r.watchKept()
	r.blocked = false
	r.watchLock()
	r.tab, r.table = nil, lockdir.TableFile{FD: -1}
	r.b.resources.CompareAndDelete(r.stem, r)
}

// watchClients has the watcher report the end of those whose end could let us move up.
func (r *resource) watchClients() {
	var want []uint64
	if r.waiters > 0 && r.tab != nil {
		want = r.tab.Blockers(r.b.id, nil)
	}
	if slices.Equal(want, r.watched) {
		return
	}
	for _, client := range want {
		if !slices.Contains(r.watched, client) {
			r.b.watcher.actor.Tell(news{verb: watchClient, client: client, resource: r})
		}
	}
	for _, client := range r.watched {
		if !slices.Contains(want, client) {
			r.b.watcher.actor.Tell(news{verb: forgetClient, client: client, resource: r})
		}
	}
	r.watched = want
}

// watchKept sets the timer for the first in the queue, if it is ours, to when the first time is over
// for which permits stay taken. No process holds them then, so nothing else would tell. The timer
// counts from the table: the grant may be held still, and be released or lose its process before. A
// timer stands still while the machine is suspended, and a clock may be set: the net's look finds
// what is over then.
func (r *resource) watchKept() {
	if r.keep != nil {
		r.keep.Stop()
		r.keep = nil
	}
	if r.waiters == 0 || r.tab == nil || len(r.tab.Waiters) == 0 || r.tab.Waiters[0].ID.Client != r.b.id {
		return
	}
	if left := r.tab.KeptFor(); left > 0 {
		r.keep = r.actor.After(left, message{verb: look})
	}
}

// watchLock has the watcher report uses of the lock file while somebody who is not in the table has the kernel's lock. The
// kernel reports the end of a use just before it frees the lock, and a process that dies may be gone from the
// table before it is free: so each event is followed by a few looks, further and further apart.
func (r *resource) watchLock() {
	if r.blocked != r.lockSeen {
		r.lockSeen = r.blocked
		v := watchLock
		if !r.blocked {
			v = forgetLock
		}
		r.b.watcher.actor.Tell(news{verb: v, resource: r})
	}
	if r.blocked && !r.retrying && r.attempts < retries {
		r.retrying = true
		r.actor.After(r.b.timing.retry<<r.attempts, message{verb: again})
		r.attempts++
	}
}
