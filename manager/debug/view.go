package debug

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/manager"
)

// A view is what the template shows: of an overview, a detail and a question it has one.
type view struct {
	Title, Owner, Store, Search, JSON string
	Problem                           string

	Tiles []tile
	Graph *graph
	Table *table

	Detail *detail
	Asks   *asks
}

// A tile is a total.
type tile struct {
	Label, Value, More, Class string
	Spark                     *spark
}

// newView is what all pages have.
func newView(s *manager.Stats, q query) *view {
	return &view{
		Title: "lockkeeper", Owner: owner(s.Label, s.PID, s.Host), Store: readable(s.Store),
		Search: readable(q.search), JSON: q.with("format", "json"),
	}
}

func owner(label string, pid int, host string) string {
	text := fmt.Sprint("pid ", pid)
	if host != "" {
		text += " on " + clipped(host, 64)
	}
	if label != "" {
		text = clipped(label, 64) + " (" + text + ")"
	}
	return text
}

// look takes the statistics and a sample of them, and calls f while the sample is the last.
func (h *handler) look(f func(s *manager.Stats)) {
	h.past.mu.Lock()
	defer h.past.mu.Unlock()
	s := h.m.Stats()
	h.past.sample(&s)
	f(&s)
}

func (h *handler) overview(q query) (v *view) {
	h.look(func(s *manager.Stats) {
		v = newView(s, q)
		v.Tiles = h.totals(s)
		if q.search == "" && q.page == 0 {
			v.Graph = drawGraph(s, nil)
		}
		v.Table = h.table(s, q)
		if s.Waiting > 0 {
			v.Title = count(s.Waiting) + " waiting – lockkeeper"
		}
	})
	return v
}

func (h *handler) totals(s *manager.Stats) []tile {
	t, past := &s.Totals, &h.past.totals
	held := tile{Label: "held", Value: count(s.Holding), More: plural(len(s.Resources), "live name", "live names")}
	if !s.LongestHold.IsZero() {
		held.More += ", the longest for " + human(s.Time.Sub(s.LongestHold))
	}
	waiting := tile{Label: "waiting", Value: count(s.Waiting), More: "nobody"}
	if !s.OldestWaiter.IsZero() {
		waiting.Class, waiting.More = "waits", "the oldest for "+human(s.Time.Sub(s.OldestWaiter))
	}
	waiting.Spark = past.draw(&past.waiting, func(top uint32) string { return "at most " + count(int64(top)) + " waiting" })
	acquired := tile{
		Label: "acquired", Value: count(t.Acquisitions),
		More: count(t.Contended) + " contended, " + count(t.Handoffs) + " handed on",
	}
	acquired.Spark = past.draw(&past.done, func(top uint32) string {
		return "at most " + count(int64(top)) + " acquired in " + human(slotLength)
	})
	acquired.Spark.Class, acquired.Spark.Marks = "done", nil
	lost := tile{Label: "lost", Value: count(t.Lost), More: reasons(t)}
	failed := tile{
		Label: "failed", Value: count(t.Failed),
		More: count(t.RenewalsFailed) + " renewals failed, " + count(t.TimedOut) + " timed out, " + count(t.Busy) + " busy",
	}
	if t.Lost > 0 {
		lost.Class = "bad"
	}
	if t.Failed+t.RenewalsFailed > 0 {
		failed.Class = "bad"
	}
	return []tile{held, waiting, acquired, lost, failed, leads(s)}
}

// reasons says why leases were lost.
func reasons(c *manager.Counters) string {
	var list []string
	for why, n := range c.LostBy {
		list = append(list, readable(string(why))+": "+count(n))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// leads says under which names this process leads.
func leads(s *manager.Stats) tile {
	const told = 3
	var names []string
	n := 0
	for i := range s.Resources {
		if s.Resources[i].Leading {
			if n++; n <= told {
				names = append(names, clipped(s.Resources[i].Name, 32))
			}
		}
	}
	if n > told {
		names = append(names, "…")
	}
	return tile{Label: "leads", Value: count(n), More: strings.Join(names, ", ")}
}
