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

// stamp formats times as aboutTime does, at a tenth of the price while they are of one second: it keeps the rest.
type stamp struct {
	second int64
	text   []byte // up to the second; nil: none yet
}

func (s *stamp) append(b []byte, t time.Time) []byte {
	if second := t.Unix(); s.text == nil || second != s.second {
		s.second, s.text = second, t.UTC().AppendFormat(s.text[:0], "2006-01-02T15:04:05.")
	}
	b = append(b, s.text...)
	micros := t.Nanosecond() / int(time.Microsecond)
	for unit := 100_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+micros/unit%10))
	}
	return append(b, 'Z')
}

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
