package file

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

const aboutTime = "2006-01-02T15:04:05.000000Z07:00"

// ownerWords returns the part of an entry's line that says who it is; it changes rarely. Started is when that process began.
func ownerWords(o backends.Owner, started time.Time) string {
	return fmt.Sprintf(" pid %d started %s host %s label %s",
		o.PID, started.UTC().Format(aboutTime), strconv.Quote(o.Host), strconv.Quote(o.Label))
}

// about reads what the line says for people. What it cannot read it leaves out.
func (e *entry) about() (since time.Time, o backends.Owner) {
	p := parser{rest: e.line + " "}
	p.fields(&entry{})
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

// state tells what the table says in the words of the contract.
func (t *table) state() backends.State {
	s := backends.State{Resource: backends.Resource{Name: t.name}, Token: t.token}
	for _, e := range t.holders {
		if e.broken {
			continue
		}
		since, owner := e.about()
		s.Holders = append(s.Holders, backends.Holder{ID: e.id, Owner: owner, Weight: e.weight, Token: e.token, Since: since})
	}
	for _, e := range t.waiters {
		since, owner := e.about()
		s.Waiters = append(s.Waiters, backends.Waiter{ID: e.id, Owner: owner, Weight: e.weight, Since: since})
	}
	slices.SortFunc(s.Holders, func(a, b backends.Holder) int { return cmp.Compare(a.Token, b.Token) })
	if len(s.Holders)+len(s.Waiters) > 0 {
		s.Resource.Kind, s.Resource.Capacity = t.kind, t.capacity
	}
	return s
}
