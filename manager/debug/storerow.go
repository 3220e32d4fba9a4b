package debug

import (
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/manager"
)

// statsOf puts the states of a store into the form that the history and the table understand. The
// resources are in the order of the states.
func statsOf(states []backends.State) *manager.Stats {
	s := &manager.Stats{Time: time.Now(), Resources: make([]manager.ResourceStats, len(states))}
	for i := range states {
		r := resourceOf(&states[i], s.Time)
		s.Resources[i] = r
		s.Holding += r.Holding
		s.Waiting += r.Waiting
		s.LongestHold = earlier(s.LongestHold, r.LongestHold)
		s.OldestWaiter = earlier(s.OldestWaiter, r.OldestWaiter)
	}
	return s
}

// resourceOf counts the processes that hold and wait.
func resourceOf(state *backends.State, now time.Time) manager.ResourceStats {
	r := manager.ResourceStats{
		Name: state.Resource.Name, Kind: state.Resource.Kind, Capacity: state.Resource.Capacity,
		Holding: int64(len(state.Holders)), Waiting: int64(len(state.Waiters)),
	}
	if r.Kind != 0 {
		r.KindName = r.Kind.String()
	}
	for i := range state.Holders {
		h := &state.Holders[i]
		r.LongestHold = earlier(r.LongestHold, h.Since)
		if h.Expires > 0 {
			r.ValidUntil = earlier(r.ValidUntil, now.Add(h.Expires))
		}
	}
	for i := range state.Waiters {
		r.OldestWaiter = earlier(r.OldestWaiter, state.Waiters[i].Since)
	}
	return r
}

// earlier is the earlier of two times. A time that is not known is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// fill shows the holders and waiters of all processes.
func (v *row) fill(s *manager.Stats, r ranked) {
	holders, waiters := r.state.Holders, r.state.Waiters
	for i := range holders[:min(len(holders), listed)] {
		h := &holders[i]
		v.Held = append(v.Held, line{holderName(h), readable(h.Owner.String()), share(r.ResourceStats, h.Weight)})
	}
	if n := len(holders) - len(v.Held); n > 0 {
		v.Held = append(v.Held, line{Text: "and " + count(n) + " more"})
	}
	if len(holders) > 0 {
		v.For, v.Token = age(s.Time, r.LongestHold), tokenOf(holders[0].Token)
		v.Valid, v.Ends = remaining(s.Time, r.ValidUntil)
	}
	if len(waiters) == 0 {
		return
	}
	v.Waiting = count(len(waiters)) + space + "waiting"
	for i := range waiters[:min(len(waiters), listed)] {
		w := &waiters[i]
		l := line{ownerName(w.Owner), readable(w.Owner.String()), age(s.Time, w.Since)}
		if what := share(r.ResourceStats, w.Weight); what != "" {
			l.More += space + what
		}
		v.Queue = append(v.Queue, l)
	}
}

// holderName names a holder. A program that is no client of the store may be unknown.
func holderName(h *backends.Holder) string {
	switch {
	case h.ID != (backends.GrantID{}):
		return ownerName(h.Owner)
	case h.Owner.PID == 0:
		return foreign
	}
	return foreign + ", " + ownerName(h.Owner)
}

func ownerName(o backends.Owner) string { return owner(o.Label, o.PID, o.Host) }

// foreign is the holder of a lock of the system that is no client's.
const foreign = "another program"

// age is how long ago a store's clock showed t. It may differ from ours.
func age(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return human(now.Sub(t))
}

func tokenOf(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}
