package debug

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/manager"
)

// A view is what the template shows: of an overview, a detail and a question it has one.
type view struct {
	Title, Owner, Store, JSON string
	Search, Find              string // what was searched for; what can be
	Problem                   string

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

// A process shows what a manager does in this process.
type process struct {
	m *manager.Manager
	*board
}

// view is what all pages have.
func (p *process) view(s *manager.Stats, q query) *view {
	return &view{
		Title: "lockkeeper", Owner: owner(s.Label, s.PID, s.Host), Store: readable(s.Store),
		Search: readable(q.search), JSON: q.with("format", "json"), Find: "Find a name or line of code",
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

func (p *process) head(q query) *view {
	s := p.m.Stats()
	return p.view(&s, q)
}

func (p *process) inspect(ctx context.Context, name string) (backends.State, error) {
	return p.m.Inspect(ctx, name)
}

// data are the statistics, of the resources that the query selects.
func (p *process) data(_ context.Context, q query) (any, error) {
	s := p.m.Stats()
	kept := s.Resources[:0]
	for i := range s.Resources {
		if q.matches(&s.Resources[i]) {
			kept = append(kept, s.Resources[i])
		}
	}
	s.Resources = kept
	return s, nil
}

// look takes the statistics and a sample of them, and calls f while the sample is the last.
func (p *process) look(f func(s *manager.Stats)) {
	p.past.mu.Lock()
	defer p.past.mu.Unlock()
	s := p.m.Stats()
	p.past.sample(&s)
	f(&s)
}

func (p *process) overview(_ context.Context, q query) (v *view, _ error) {
	p.look(func(s *manager.Stats) {
		v = p.view(s, q)
		v.Tiles = p.totals(s)
		if q.search == "" && q.page == 0 {
			v.Graph = drawGraph(s, nil)
		}
		v.Table = p.table(s, q)
		if s.Waiting > 0 {
			v.Title = count(s.Waiting) + " waiting – lockkeeper"
		}
	})
	return v, nil
}

func (p *process) totals(s *manager.Stats) []tile {
	t, past := &s.Totals, &p.past.totals
	held := tile{Label: "held", Value: count(s.Holding), More: plural(len(s.Resources), "live name", "live names")}
	if !s.LongestHold.IsZero() {
		held.More += ", the longest for " + human(s.Time.Sub(s.LongestHold))
	}
	waiting := queueTile("waiting", s.Time, s.Waiting, s.OldestWaiter, p.past.drawWaiting(past))
	acquired := tile{
		Label: "acquired", Value: count(t.Acquisitions),
		More: count(t.Contended) + " contended, " + count(t.Handoffs) + " handed on",
	}
	acquired.Spark = p.past.draw(past, &past.done, func(top uint32) string {
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

// queueTile tells how many wait, and waited; the spark is nil if that is not known.
func queueTile(label string, now time.Time, n int64, oldest time.Time, waited *spark) tile {
	t := tile{Label: label, Value: count(n), More: "nobody", Spark: waited}
	if !oldest.IsZero() {
		t.Class, t.More = "waits", "the oldest for "+human(now.Sub(oldest))
	}
	return t
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
