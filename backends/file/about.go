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

// describe returns an entry's words for people. ownerWords, of the same request, changes rarely; since does every time.
func describe(since time.Time, ownerWords string) string {
	b := make([]byte, 0, 40+len(ownerWords))
	b = append(b, "since "...)
	b = since.UTC().AppendFormat(b, aboutTime)
	b = append(b, ownerWords...)
	return string(b)
}

// ownerWords returns the part of describe that says who it is; started is when that process began.
func ownerWords(o backends.Owner, started time.Time) string {
	return fmt.Sprintf(" pid %d started %s host %s label %s",
		o.PID, started.UTC().Format(aboutTime), strconv.Quote(o.Host), strconv.Quote(o.Label))
}

// parseAbout reads what describe wrote. It is of use to people only, so what it cannot read it leaves out.
func parseAbout(s string) (since time.Time, o backends.Owner) {
	p := parser{rest: s + " "}
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
		since, owner := parseAbout(e.about)
		s.Holders = append(s.Holders, backends.Holder{ID: e.id, Owner: owner, Weight: e.weight, Token: e.token, Since: since})
	}
	for _, e := range t.waiters {
		since, owner := parseAbout(e.about)
		s.Waiters = append(s.Waiters, backends.Waiter{ID: e.id, Owner: owner, Weight: e.weight, Since: since})
	}
	slices.SortFunc(s.Holders, func(a, b backends.Holder) int { return cmp.Compare(a.Token, b.Token) })
	if len(s.Holders)+len(s.Waiters) > 0 {
		s.Resource.Kind, s.Resource.Capacity = t.kind, t.capacity
	}
	return s
}
