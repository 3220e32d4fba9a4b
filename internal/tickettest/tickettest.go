// Package tickettest lets a lease go through three processes, over any store.
package tickettest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/manager"
)

// job is the lock.
const job = "job"

// Serve is the work of a helper process: it does with the lock what the test says, and closes the
// manager, whose time to live is ttl.
func Serve(c *proctest.Child, m *manager.Manager, ttl time.Duration) error {
	ctx := context.Background()
	var l *manager.Lease
	for line, ok := c.Listen(); ok; line, ok = c.Listen() {
		word, rest, _ := strings.Cut(line, " ")
		var said any
		var err error
		switch word {
		case "acquire":
			if l, err = m.Lock(job).Acquire(ctx); err == nil {
				said = fmt.Sprint(l.Token(), " ", time.Now().UnixNano())
			}
		case "detach":
			said, err = l.Detach(ctx)
		case "adopt":
			var n *manager.Lease
			if n, err = m.Adopt(ctx, manager.Ticket(rest)); err == nil {
				l, said = n, n.Token()
			}
		case "hold": // for several times to live
			for until := l.ValidUntil().Add(3 * ttl); err == nil && l.ValidUntil().Before(until); {
				<-time.NewTimer(ttl / 10).C
				err = l.Err()
			}
			said = "on"
		case "release":
			said, err = time.Now().UnixNano(), l.Release()
		}
		if err != nil {
			said = fmt.Sprintf("error %s: %v", kindOf(err), err)
		}
		c.Say("%s %v", word, said)
	}
	return m.Close(ctx)
}

func kindOf(err error) string {
	switch {
	case errors.Is(err, manager.ErrTicket):
		return "ticket"
	case errors.Is(err, manager.ErrLost):
		return "lost"
	}
	return "other"
}

// Test has one process acquire a lock, detach it, and be killed. Another adopts it, holds it for
// several times to live, and releases it. A third waits all the time, and is granted it only then.
// The processes that start starts run Serve over the store of m. It is repeated with twice the time to
// live while the machine stands still for longer than that.
func Test(t *testing.T, store func(ttl time.Duration) (m *manager.Manager, start func() *proctest.Process)) {
	t.Helper()
	for ttl := time.Second; ; ttl *= 2 {
		m, start := store(ttl)
		if passesOn(t, m, start) {
			return
		}
		t.Logf("this machine stood still for longer than %v", ttl)
	}
}

// passesOn reports false if the lease was lost because the machine is slow.
func passesOn(t *testing.T, m *manager.Manager, start func() *proctest.Process) bool {
	t.Helper()
	first, second, third := start(), start(), start()
	slow := false
	ask := func(p *proctest.Process, word, rest string) string {
		t.Helper()
		p.Say("%s", strings.TrimSpace(word+" "+rest))
		said := p.Expect(word)
		slow = slow || strings.HasPrefix(said, "error lost")
		return said
	}
	var token, waited uint64
	var granted, released int64
	read := func(said string, into ...any) {
		t.Helper()
		if _, err := fmt.Sscan(said, into...); err != nil && !slow {
			t.Fatalf("%q: %v", said, err)
		}
	}
	// alone expects that the token is held by one holder, and that the third process waits.
	alone := func(when string) {
		t.Helper()
		s, err := m.Inspect(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Holders) != 1 || s.Holders[0].Token != token || len(s.Waiters) != 1 || s.Token != token {
			slow = slow || s.Token != token // it was granted anew, for the lease had expired
			if !slow {
				t.Errorf("%s: %+v; want one holder, with token %d, and one waiter", when, s, token)
			}
		}
	}
	read(ask(first, "acquire", ""), &token, &granted)
	third.Say("acquire")
	for s, err := m.Inspect(t.Context(), job); len(s.Waiters) == 0; s, err = m.Inspect(t.Context(), job) {
		if err != nil {
			t.Fatal(err)
		}
	}
	ticket := ask(first, "detach", "")
	alone("detached")
	first.Kill()
	adopted := ask(second, "adopt", ticket)
	if slow = slow || strings.HasPrefix(adopted, "error ticket"); slow {
		return false
	}
	if adopted != fmt.Sprint(token) {
		t.Fatalf("adopted with %q; want token %d", adopted, token)
	}
	alone("adopted")
	forged := ticket[:len(ticket)-5] + strings.Repeat("A", 5)
	for what, text := range map[string]string{"replayed": ticket, "forged": forged} {
		if said := ask(second, "adopt", text); !strings.HasPrefix(said, "error ticket") {
			t.Errorf("a %s ticket: %s", what, said)
		}
		if l, err := m.Adopt(t.Context(), manager.Ticket(text)); !errors.Is(err, manager.ErrTicket) {
			t.Errorf("a %s ticket, in another process: %v, %v", what, l, err)
		}
	}
	ask(second, "hold", "")
	alone("held for several times to live")
	read(ask(second, "release", ""), &released)
	read(third.Expect("acquire"), &waited, &granted)
	if slow {
		return false
	}
	if granted < released || waited <= token {
		t.Errorf("the third was granted %v after the release, with token %d after %d",
			time.Duration(granted-released), waited, token)
	}
	ask(third, "release", "")
	for _, p := range []*proctest.Process{second, third} {
		p.CloseInput()
		if err := p.Wait(); err != nil && !slow {
			t.Error(err)
		}
	}
	return !slow
}
