package debug

import (
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/manager"
)

// people is a table of holders or waiters.
type people struct {
	Heads       []string
	Rows        [][]cell
	Left, Empty string
}

// A cell wraps if it has text that somebody has chosen.
type cell struct {
	Text, Full string
	Wraps      bool
}

func (p *people) add(cells ...cell) { p.Rows = append(p.Rows, cells) }

func plain(s string) cell  { return cell{Text: s} }
func chosen(s string) cell { return cell{Text: readable(s), Wraps: true} }
func at(s string) cell     { return cell{Text: site(s), Full: readable(s), Wraps: true} }

// here are the holders in this process.
func here(s *manager.Stats, r *manager.ResourceStats) people {
	p := people{
		Heads: []string{"line of code", "for", "since", "valid for", "token", "permits"},
		Empty: "Nobody in this process holds it.", Left: left(r.Holding, len(r.Holders)),
	}
	for i := range r.Holders {
		o := &r.Holders[i]
		valid, _ := remaining(s.Time, o.ValidUntil)
		p.add(at(o.Site), plain(human(s.Time.Sub(o.Since))), plain(clock(o.Since)), plain(valid),
			plain(strconv.FormatUint(o.Token, 10)), plain(weight(o.Weight)))
	}
	return p
}

// queueHere are the waiters in this process.
func queueHere(s *manager.Stats, r *manager.ResourceStats) people {
	p := people{
		Heads: []string{"place", "line of code", "for", "since", "permits", "holds meanwhile"},
		Empty: "Nobody in this process waits for it.", Left: left(r.Waiting, len(r.Waiters)),
	}
	for i := range r.Waiters {
		w := &r.Waiters[i]
		names := make([]string, len(w.Holds))
		for i, name := range w.Holds {
			names[i] = clipped(name, 64)
		}
		p.add(plain(count(i+1)), at(w.Site), plain(human(s.Time.Sub(w.Since))), plain(clock(w.Since)),
			plain(weight(w.Weight)), chosen(strings.Join(names, ", ")))
	}
	return p
}

// holders are those of all processes. A grant that has ended may keep its permits for a while.
func holders(state *backends.State) people {
	p := people{Heads: []string{"label", "pid", "host", "for", "since", "valid for", "token"}, Empty: "Nobody holds it."}
	now := time.Now()
	for i := range state.Holders {
		o := &state.Holders[i]
		label, valid := chosen(o.Owner.Label), ""
		if o.ID == (backends.GrantID{}) {
			label = plain(foreign)
		}
		switch {
		case o.Detached:
			valid = "detached, ends in " + human(o.Expires)
		case o.Expires > 0:
			valid = human(o.Expires)
		case o.Kept > 0:
			valid = "released, kept for " + human(o.Kept)
		}
		p.add(label, plain(pid(o.Owner)), chosen(o.Owner.Host), plain(age(now, o.Since)), dated(now, o.Since),
			plain(valid), plain(tokenOf(o.Token)))
		p.weigh(state, o.Weight)
	}
	return p
}

// waiters are those of all processes.
func waiters(state *backends.State) people {
	p := people{Heads: []string{"place", "label", "pid", "host", "for", "since"}, Empty: "No process waits in the store."}
	now := time.Now()
	for i := range state.Waiters {
		w := &state.Waiters[i]
		p.add(plain(count(i+1)), chosen(w.Owner.Label), plain(pid(w.Owner)), chosen(w.Owner.Host),
			plain(age(now, w.Since)), dated(now, w.Since))
		p.weigh(state, w.Weight)
	}
	return p
}

// weigh adds the permits to the last row, if the name has more than one.
func (p *people) weigh(state *backends.State, n int64) {
	if state.Resource.Capacity <= 1 {
		return
	}
	if len(p.Rows) == 1 {
		p.Heads = append(p.Heads, "permits")
	}
	last := len(p.Rows) - 1
	p.Rows[last] = append(p.Rows[last], plain(weight(n)))
}

func pid(o backends.Owner) string {
	if o.PID == 0 {
		return ""
	}
	return strconv.Itoa(o.PID)
}

func clock(t time.Time) string { return t.Format(time.DateTime) }

// dated is a time in the time zone of this machine, without the date if that is today's.
func dated(now, t time.Time) cell {
	if t.IsZero() {
		return cell{}
	}
	now, t = now.Local(), t.Local()
	full := clock(t)
	if now.Format(time.DateOnly) == t.Format(time.DateOnly) {
		return cell{Text: t.Format(time.TimeOnly), Full: full}
	}
	return cell{Text: full}
}

func left(all int64, shown int) string {
	if n := all - int64(shown); n > 0 {
		return "and " + count(n) + " more"
	}
	return ""
}

// weight is a number of permits; a writer needs all.
func weight(n int64) string {
	if n == backends.ReadWriteCapacity {
		return "all"
	}
	return count(n)
}
