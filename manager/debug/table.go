package debug

import (
	"cmp"
	"hash/maphash"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/manager"
)

const (
	pageRows   = 200 // at most
	listed     = 2   // holders and waiters of a row
	nameLength = 120 // characters of a name in the table
)

// A table is one page of the live names.
type table struct {
	Summary, Previous, Next, Other, OtherName, Window, Empty string

	Rows   []row
	Counts bool // the rows have what only a process counts
}

// A row is one name.
type row struct {
	ID, Class, Href, Name, Kind          string
	Leading, Ends, Gone                  bool // it leads; its lease is about to end; it is out of use
	Held, Queue                          []line
	For, Valid, Token, Waiting, Acquired string // no Acquired: it is not counted
	Waits, Holds                         bounds
	Wrong                                []string
	Spark                                *spark
}

// A line is a holder or a waiter.
type line struct{ Text, Full, More string }

// bounds are quantiles, empty if there are none.
type bounds struct{ P50, P99 string }

// A board makes tables, and remembers.
type board struct {
	seed maphash.Seed // of the rows' ids: nobody can choose names whose ids collide
	past history
}

// ranked is a resource with its rank. The rank is small and at hand, since a resource is large.
type ranked struct {
	*manager.ResourceStats

	state         *backends.State // of all processes; nil: this process is shown
	bad           uint64          // in the last minutes
	waited, since int64           // since when it is waited for and held
	name          string
	gone          bool // it is not live any more
}

func newBoard() *board { return &board{seed: maphash.MakeSeed()} }

func (b *board) rank(r *manager.ResourceStats, state *backends.State, gone bool) ranked {
	instant := func(t time.Time) int64 {
		if t.IsZero() {
			return math.MaxInt64 // last
		}
		return t.UnixNano()
	}
	return ranked{r, state, b.past.recent(r.Name), instant(r.OldestWaiter), instant(r.LongestHold), r.Name, gone}
}

// byTrouble puts first what has lost or failed, then the longest wait, then the longest hold.
func byTrouble(a, b ranked) int {
	if c := cmp.Compare(min(b.bad, 1), min(a.bad, 1)); c != 0 {
		return c
	}
	if c := cmp.Compare(a.waited, b.waited); c != 0 {
		return c
	}
	if c := cmp.Compare(a.since, b.since); c != 0 {
		return c
	}
	return cmp.Compare(a.name, b.name)
}

// table shows a process. The statistics come sorted by name.
func (b *board) table(s *manager.Stats, q query) *table {
	found := make([]ranked, 0, len(s.Resources))
	for i := range s.Resources {
		if r := &s.Resources[i]; q.matches(r) {
			found = append(found, b.rank(r, nil, false))
		}
	}
	all := len(s.Resources)
	for r := range b.past.gone(s) {
		if all++; q.matches(r) {
			found = append(found, b.rank(r, nil, true))
		}
	}
	t := b.cut(s, q, found, all)
	t.Counts = true
	return t
}

// cut sorts what was found of all names, and shows one page of it.
func (b *board) cut(s *manager.Stats, q query, found []ranked, all int) *table {
	by, other := q, q
	other.byName, other.page = !q.byName, 0
	t := &table{Window: "last " + human(window), Other: other.href(), OtherName: "sort by name"}
	if q.byName {
		t.OtherName = "sort by trouble"
		slices.SortFunc(found, func(a, b ranked) int { return cmp.Compare(a.name, b.name) })
	} else {
		slices.SortFunc(found, byTrouble)
	}
	by.page = min(q.page, max(len(found)-1, 0)/pageRows)
	from := by.page * pageRows
	shown := found[from:min(from+pageRows, len(found))]
	for _, r := range shown {
		t.Rows = append(t.Rows, b.row(s, r))
	}
	t.Summary = summary(from, len(shown), len(found), all)
	if by.page > 0 {
		t.Previous = by.with("page", strconv.Itoa(by.page))
	}
	if from+len(shown) < len(found) {
		t.Next = by.with("page", strconv.Itoa(by.page+2))
	}
	t.Empty = "No name is in use."
	if all > 0 {
		t.Empty = "No name matches."
	}
	return t
}

func summary(from, shown, found, all int) string {
	text := plural(all, "name", "names")
	if found < all {
		text = count(found) + " of " + text
	}
	if shown < found {
		text = count(from+1) + " to " + count(from+shown) + " of " + text
	}
	return text
}

func (b *board) row(s *manager.Stats, r ranked) row {
	v := row{
		ID: "n" + strconv.FormatUint(maphash.String(b.seed, r.Name), 36), Href: hrefOf(r.Name),
		Name: clipped(r.Name, nameLength), Kind: kind(r.ResourceStats), Leading: r.Leading, Gone: r.gone,
	}
	switch {
	case r.bad > 0:
		v.Class = "bad"
	case r.Waiting > 0:
		v.Class = "waits"
	}
	if r.Lost > 0 {
		v.Wrong = append(v.Wrong, count(r.Lost)+space+"lost")
	}
	if n := r.Failed + r.RenewalsFailed; n > 0 {
		v.Wrong = append(v.Wrong, count(n)+space+"failed")
	}
	if r.state != nil {
		v.fill(s, r)
	} else {
		v.Acquired = count(r.Acquisitions)
		v.Waits, v.Holds = quantiles(&r.Counters.Waits), quantiles(&r.Counters.Holds)
		v.hold(s, r.ResourceStats)
		v.queue(s, r.ResourceStats)
	}
	if t := b.past.names[r.Name]; t != nil && !t.quiet() {
		v.Spark = b.past.drawWaiting(t)
	}
	return v
}

func (v *row) hold(s *manager.Stats, r *manager.ResourceStats) {
	for i := range r.Holders[:min(len(r.Holders), listed)] {
		p := &r.Holders[i]
		l := line{Text: site(p.Site), Full: readable(p.Site)}
		if p.Site == "" {
			l.Text = owner(s.Label, s.PID, s.Host)
		}
		l.More = share(r, p.Weight)
		v.Held = append(v.Held, l)
	}
	switch n := r.Holding - int64(len(v.Held)); {
	case n > 0:
		v.Held = append(v.Held, line{Text: "and " + count(n) + " more"})
	case r.Holding == 0 && r.Waiting > 0:
		v.Held = []line{{Text: "not this process"}}
	case r.Holding == 0:
		return
	}
	if len(r.Holders) > 0 {
		v.For, v.Token = human(s.Time.Sub(r.LongestHold)), strconv.FormatUint(r.Holders[0].Token, 10)
	}
	v.Valid, v.Ends = remaining(s.Time, r.ValidUntil)
}

func (v *row) queue(s *manager.Stats, r *manager.ResourceStats) {
	if r.Waiting == 0 {
		return
	}
	v.Waiting = count(r.Waiting) + space + "waiting"
	for i := range r.Waiters[:min(len(r.Waiters), listed)] {
		w := &r.Waiters[i]
		l := line{site(w.Site), readable(w.Site), human(s.Time.Sub(w.Since))}
		if what := share(r, w.Weight); what != "" {
			l.More += space + what
		}
		v.Queue = append(v.Queue, l)
	}
}

// kind is the kind of a name, with the permits of a semaphore.
func kind(r *manager.ResourceStats) string {
	if r.Capacity > 1 && r.KindName == "semaphore" {
		return r.KindName + " of " + count(r.Capacity)
	}
	return r.KindName
}

// share is what a holder has, or a waiter wants, of a name that can be shared.
func share(r *manager.ResourceStats, weight int64) string {
	switch {
	case r.Kind == backends.ReadWrite && weight == 1:
		return "reads"
	case r.Kind == backends.ReadWrite:
		return "writes"
	case r.Capacity > 1:
		return plural(weight, "permit", "permits")
	}
	return ""
}

func quantiles(h *manager.Histogram) bounds { return bounds{quantile(h, 0.5), quantile(h, 0.99)} }

// remaining is how long a grant is valid, and whether it is about to end.
func remaining(now, until time.Time) (text string, ends bool) {
	if until.IsZero() {
		return "", false
	}
	left := until.Sub(now)
	return human(left), left < 2*time.Second
}
