package manager

import (
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// slowLog is what a keeper remembers of its lines.
type slowLog struct {
	waits instant // of the last line
	holds instant
}

// WithSlowLog logs names that are waited for or held for long, while that goes on: a wait longer
// than wait, and once more how it ended; and a hold longer than hold. A line has the name, the line
// of code that waits or holds, and of the holder its token and since when it holds; and the pid and
// label of this process. Of a holder in another process it has the pid, host and label: the store
// is asked once for the line. One line tells of all waits of a name that have become long since the
// last line, and there is at most one in the time of the limit; the same goes for holds. While the
// logger takes no lines, all but a thousand are left out; left_out in the next says how many.
//
// The lines go to the logger of [WithLogger], or to slog.Default. A limit of 0 logs nothing. Range
// 1 ms to a year. It records sites, see [WithSites]. Default: no slow log.
func WithSlowLog(wait, hold time.Duration) Option {
	return Option{func(c *config) error {
		o := &c.observer
		o.slowWait, o.slowHold = wait, hold
		if wait > 0 || hold > 0 {
			o.on, o.sites = true, true
		}
		for _, d := range []time.Duration{wait, hold} {
			if d == 0 {
				continue
			}
			if err := within("slow log's limit", d, time.Millisecond, 365*24*time.Hour); err != nil {
				return err
			}
		}
		return nil
	}}
}

// slow logs one line.
func (m *Manager) slow(msg string, args ...any) { m.slowWith(msg, nil, args) }

// slowWith logs one line that ends with what more returns. That may take as long as the store.
func (m *Manager) slowWith(msg string, more func() []any, args []any) {
	l := m.cfg.logger
	if l == nil {
		l = slog.Default()
	}
	if args = append(args, "pid", m.owner.PID); m.owner.Label != "" {
		args = append(args, "label", readable(m.owner.Label))
	}
	m.actor.line(l, msg, args, more)
}

// watchWait and watchHold have the keeper look when a wait or hold that begins now is long.
func (k *keeper) watchWait(now instant) {
	if o := k.m.observer; o != nil && o.slowWait > 0 {
		k.watch(now + instant(o.slowWait))
	}
}

func (k *keeper) watchHold(now instant) {
	if o := k.m.observer; o != nil && o.slowHold > 0 {
		k.watch(now + instant(o.slowHold))
	}
}

// logSlow logs what has become long, and returns when to look again; 0: not for what is there now.
func (k *keeper) logSlow(now instant) (next instant) {
	o := k.m.observer
	if o == nil {
		return 0
	}
	if o.slowWait > 0 {
		var r *request
		var n int
		r, n, next = k.queue.slow(now, instant(o.slowWait), &k.slow.waits)
		if r != nil {
			k.logSlowWait(r, n, now)
		}
	}
	if o.slowHold > 0 {
		r, n, at := k.holders.slow(now, instant(o.slowHold), &k.slow.holds)
		if r != nil {
			k.logSlowHold(r, n, now)
		}
		if next == 0 || at != 0 && at < next {
			next = at
		}
	}
	return next
}

// slow returns the first request of the list that has become long and has not been logged, how many
// there are, and when to look for the next; last is the time of the last line. The oldest come
// first in both lists.
func (q *line) slow(now, limit instant, last *instant) (first *request, n int, next instant) {
	quiet := *last != 0 && now < *last+limit
	for r := q.head; r != nil; r = r.next {
		switch due := r.since + limit; {
		case r.logged:
		case due > now:
			if first != nil || quiet {
				due = max(due, *last+limit)
			}
			return first, n, due
		case quiet:
			return nil, 0, *last + limit
		default:
			if r.logged = true; first == nil {
				first, *last = r, now
			}
			n++
		}
	}
	return first, n, 0
}

func (k *keeper) logSlowWait(r *request, n int, now instant) {
	args := append([]any{"name", readable(k.name)}, siteArg("site", r.seen.at())...)
	args = append(args, "waited", time.Duration(now-r.since), "long", n, "waiting", k.queue.n)
	if r.seen != nil {
		r.seen.waits.Store(r.since + 1)
	}
	const what = "a wait is long"
	h := k.inTheWay()
	if h == nil {
		k.m.slowWith(what, func() []any { return k.m.holderElsewhere(k.name) }, args)
		return
	}
	args = append(args, siteArg("holder", h.seen.at())...)
	k.m.slow(what, append(args, "token", h.token, "since", k.m.time(h.since))...)
}

// holderElsewhere asks the store who holds the name, and says it as a busy error does.
func (m *Manager) holderElsewhere(name string) []any {
	h := m.ask(name).Holder
	if h == nil { // the store does not answer in time, or the name has become free
		return []any{"holder", "another process"}
	}
	return []any{"holder", strings.TrimPrefix(h.Held(), "held by "), "token", h.Token}
}

func (k *keeper) logSlowHold(r *request, n int, now instant) {
	args := append([]any{"name", readable(k.name)}, siteArg("site", r.seen.at())...)
	args = append(args, "held", time.Duration(now-r.since), "long", n,
		"token", r.token, "since", k.m.time(r.since), "waiting", k.queue.n)
	k.m.slow("a hold is long", args...)
}

// slowWaitEnded logs the end of a wait that has been logged.
func (s *sighting) slowWaitEnded(since instant, err error) {
	args := append([]any{"name", readable(s.name)}, siteArg("site", s.at())...)
	args = append(args, "waited", time.Duration(s.m.now()+1-since))
	if err != nil {
		s.m.slow("a long wait failed", append(args, "err", err)...)
		return
	}
	s.m.slow("a long wait is over", args...)
}

// siteArg is a site as an argument of the log, if it was recorded.
func siteArg(key string, at Site) []any {
	if at == (Site{}) {
		return nil
	}
	return []any{key, at.String()}
}

// readable returns a name as it is if it is short and plain, else quoted.
func readable(name string) string {
	if q := quote(name); q != strconv.Quote(name) || len(q) != len(name)+2 {
		return q
	}
	return name
}
