package lockdir

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

const aboutTime = "2006-01-02T15:04:05.000000Z07:00"

// OwnerWords returns the part of an entry's line that says who it is; it changes rarely. Started is when that process began.
func OwnerWords(o backends.Owner, started time.Time) string {
	return fmt.Sprintf(" pid %d started %s host %s label %s",
		o.PID, started.UTC().Format(aboutTime), strconv.Quote(o.Host), strconv.Quote(o.Label))
}

// about reads what the line says for people. What it cannot read it leaves out.
func (e *Entry) about() (since time.Time, o backends.Owner) {
	p := parser{rest: e.line + " "}
	p.fields(&Entry{})
	p.word("since ")
	since, _ = time.Parse(aboutTime, p.until(' '))
	p.word("pid ")
	o.PID, _ = strconv.Atoi(p.until(' '))
	p.word("started ")
	p.until(' ')
	p.word("host ")
	o.Host = p.quoted()
	p.word(" label ")
	o.Label = p.quoted()
	return since, o
}

// State tells what the table says in the words of the contract.
func (t *Table) State() backends.State {
	s := backends.State{Resource: backends.Resource{Name: t.Name}, Token: t.Token}
	for _, e := range t.Holders {
		if h := e.holder(); !e.Broken && (!e.Kept || h.Kept > 0) {
			s.Holders = append(s.Holders, h)
		}
	}
	for _, e := range t.Waiters {
		since, owner := e.about()
		s.Waiters = append(s.Waiters, backends.Waiter{ID: e.ID, Owner: owner, Weight: e.Weight, Since: since})
	}
	slices.SortFunc(s.Holders, func(a, b backends.Holder) int { return cmp.Compare(a.Token, b.Token) })
	if len(s.Holders)+len(s.Waiters) > 0 {
		s.Resource.Kind, s.Resource.Capacity = t.Kind, t.Capacity
	}
	return s
}

// Oldest returns the holder that has held for longest; false: there is none.
func (t *Table) Oldest() (backends.Holder, bool) {
	oldest := -1
	for i, e := range t.Holders {
		if !e.Broken && (oldest < 0 || e.Token < t.Holders[oldest].Token) {
			oldest = i
		}
	}
	if oldest < 0 {
		return backends.Holder{}, false
	}
	return t.Holders[oldest].holder(), true
}

// holder returns what the line of a grant says.
func (e *Entry) holder() backends.Holder {
	since, owner := e.about()
	h := backends.Holder{ID: e.ID, Owner: owner, Weight: e.Weight, Token: e.Token, Since: since}
	if e.Kept {
		h.Kept = e.Keep.Left(Now())
	}
	return h
}
