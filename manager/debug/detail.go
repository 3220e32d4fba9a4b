package debug

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/manager"
)

// patience is how long a page waits for the store.
const patience = 2 * time.Second

// A detail is the page of one name: what this process knows of it, and what the store does.
type detail struct {
	Name, Quoted, Kind, Break string
	Leading                   bool
	Local                     bool // it has what this process knows
	breakable                 bool // there is something to break
	NoSites                   bool // the manager has not recorded who holds and waits here

	Tiles    []tile
	Graph    *graph
	Charts   []*chart
	Counters []tile

	Held, Queue, StoreHeld, StoreQueue people
}

// detail asks the store first: it may take a while, and then the rest is fresh.
func (p *process) detail(ctx context.Context, q query) (v *view) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	state, err := p.m.Inspect(ctx, q.name)
	d := &detail{Name: readable(q.name), Quoted: quoted(q.name)}
	p.look(func(s *manager.Stats) {
		v = p.view(s, q)
		v.Title, v.Detail, v.Search = clipped(q.name, 40)+" – lockkeeper", d, ""
		r := &manager.ResourceStats{Name: q.name}
		for i := range s.Resources {
			if s.Resources[i].Name == q.name {
				r = &s.Resources[i]
				d.Graph = drawGraph(s, &q.name)
			}
		}
		d.local(s, r)
		d.Tiles = p.now(s, r)
	})
	d.store(&state, err)
	return v
}

// now is what the name is doing.
func (p *process) now(s *manager.Stats, r *manager.ResourceStats) []tile {
	held := tile{Label: "held in this process", Value: count(r.Holding)}
	if !r.LongestHold.IsZero() {
		held.More = "for " + human(s.Time.Sub(r.LongestHold))
	}
	if text, ends := remaining(s.Time, r.ValidUntil); text != "" {
		held.More += ", valid for " + text
		if ends {
			held.Class = "bad"
		}
	}
	waiting := queueTile("waiting in this process", s.Time, r.Waiting, r.OldestWaiter, p.past.drawWaiting(p.past.names[r.Name]))
	wrong := tile{Label: "lost, failed", Value: count(bad(&r.Counters)), More: reasons(&r.Counters)}
	if bad(&r.Counters) > 0 {
		wrong.Class = "bad"
	}
	return []tile{
		held, waiting, wrong,
		{Label: "half of the acquires waited", Value: quantile(&r.Waits, 0.5), More: most(&r.Waits)},
		{Label: "half of the leases were held", Value: quantile(&r.Holds, 0.5), More: most(&r.Holds)},
	}
}

func most(h *manager.Histogram) string {
	if h.Count() == 0 {
		return "none so far"
	}
	return "99 of 100 " + quantile(h, 0.99)
}

// local is what this process knows.
func (d *detail) local(s *manager.Stats, r *manager.ResourceStats) {
	d.Local, d.Leading = true, r.Leading
	if r.KindName != "" {
		d.Kind = kind(r)
		d.Charts = []*chart{newChart("How long acquires waited", &r.Waits), newChart("How long it was held", &r.Holds)}
		d.Counters = counters(&r.Counters)
	}
	d.Held, d.Queue = here(s, r), queueHere(s, r)
	sited := func(h manager.HolderStats) bool { return h.Site != "" }
	waits := func(w manager.WaiterStats) bool { return w.Site != "" }
	d.NoSites = len(r.Holders)+len(r.Waiters) > 0 && !slices.ContainsFunc(r.Holders, sited) && !slices.ContainsFunc(r.Waiters, waits)
}

// store is what the store knows.
func (d *detail) store(state *backends.State, err error) {
	d.StoreHeld, d.StoreQueue = holders(state), waiters(state)
	d.breakable = len(state.Holders) > 0 || errors.Is(err, manager.ErrMismatch)
	if err != nil {
		d.StoreHeld.Empty = readable(err.Error())
		d.StoreQueue.Empty = d.StoreHeld.Empty
	}
}

func counters(c *manager.Counters) []tile {
	list := []tile{
		{Label: "acquired", Value: count(c.Acquisitions)}, {Label: "released", Value: count(c.Releases)},
		{Label: "contended", Value: count(c.Contended)}, {Label: "handed on", Value: count(c.Handoffs)},
		{Label: "timed out", Value: count(c.TimedOut)}, {Label: "cancelled", Value: count(c.Cancelled)},
		{Label: "busy", Value: count(c.Busy)}, {Label: "renewed", Value: count(c.Renewals)},
		{Label: "queued again", Value: count(c.Requeued)},
	}
	for _, wrong := range []struct {
		label string
		n     uint64
	}{{"lost", c.Lost}, {"dropped", c.Dropped}, {"failed", c.Failed}, {"renewals failed", c.RenewalsFailed}} {
		t := tile{Label: wrong.label, Value: count(wrong.n)}
		if wrong.n > 0 {
			t.Class = "bad-text"
		}
		list = append(list, t)
	}
	return list
}
