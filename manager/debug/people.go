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

// holders are those of all processes.
func holders(state *backends.State) people {
	p := people{
		Heads: []string{"label", "pid", "host", "for", "expires in", "token", "permits"}, Empty: "Nobody holds it.",
	}
	for i := range state.Holders {
		o := &state.Holders[i]
		expires := ""
		if o.Expires > 0 {
			expires = human(o.Expires)
		}
		p.add(chosen(o.Owner.Label), plain(pid(o.Owner)), chosen(o.Owner.Host), plain(since(o.Since)), plain(expires),
			plain(strconv.FormatUint(o.Token, 10)), plain(weight(o.Weight)))
	}
	return p
}

// waiters are those of all processes.
func waiters(state *backends.State) people {
	p := people{Heads: []string{"place", "label", "pid", "host", "for", "permits"}, Empty: "No process waits in the store."}
	for i := range state.Waiters {
		w := &state.Waiters[i]
		p.add(plain(count(i+1)), chosen(w.Owner.Label), plain(pid(w.Owner)), chosen(w.Owner.Host),
			plain(since(w.Since)), plain(weight(w.Weight)))
	}
	return p
}

func pid(o backends.Owner) string {
	if o.PID == 0 {
		return ""
	}
	return strconv.Itoa(o.PID)
}

// since is how long ago the store's clock showed t. It may differ from ours.
func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return human(time.Since(t))
}

func clock(t time.Time) string { return t.Format(time.DateTime) }

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
