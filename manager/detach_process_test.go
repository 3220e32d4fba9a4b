package manager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// passer is a helper process that does with the lock "job" what it is told: args address, time to
// live.
func passer(c *proctest.Child) error {
	ttl, err := time.ParseDuration(c.Args[1])
	if err != nil {
		return err
	}
	client := goredis.NewClient(&goredis.Options{Addr: c.Args[0]})
	defer client.Close()
	m, err := jobs(client, ttl)
	if err != nil {
		return err
	}
	ctx := context.Background()
	var l *Lease
	for line, ok := c.Listen(); ok; line, ok = c.Listen() {
		word, rest, _ := strings.Cut(line, " ")
		var said any
		var err error
		switch word {
		case "acquire":
			if l, err = m.Lock("job").Acquire(ctx); err == nil {
				said = fmt.Sprint(l.Token(), " ", time.Now().UnixNano())
			}
		case "detach":
			said, err = l.Detach(ctx)
		case "adopt":
			var n *Lease
			if n, err = m.Adopt(ctx, Ticket(rest)); err == nil {
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
			said = fmt.Sprintf("error %v: %v", kindOf(err), err)
		}
		c.Say("%s %v", word, said)
	}
	return m.Close(ctx)
}

func kindOf(err error) string {
	switch {
	case errors.Is(err, ErrTicket):
		return "ticket"
	case errors.Is(err, ErrLost):
		return "lost"
	}
	return "other"
}

func jobs(client *goredis.Client, ttl time.Duration) (*Manager, error) {
	b, err := redis.New(client)
	if err != nil {
		return nil, err
	}
	return New(b, WithTTL(ttl))
}

// One process acquires a lock, detaches it, and is killed. Another adopts it, holds it for several
// times to live, and releases it. A third waits all the time, and is granted it only then.
func TestLeaseGoesFromProcessToProcess(t *testing.T) {
	t.Parallel()
	for ttl := time.Second; !passesOn(t, ttl); ttl *= 2 {
		t.Logf("this machine stood still for longer than %v", ttl)
	}
}

// passesOn reports false if the lease was lost because the machine is slow.
func passesOn(t *testing.T, ttl time.Duration) bool {
	server := redistest.Start(t)
	m, err := jobs(server.Client(t), ttl)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeManager(t, m) })
	start := func() *proctest.Process { return proctest.Start(t, "passer", server.Addr, ttl.String()) }
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
		s, err := m.Inspect(t.Context(), "job")
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
	for s, err := m.Inspect(t.Context(), "job"); len(s.Waiters) == 0; s, err = m.Inspect(t.Context(), "job") {
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
		if l, err := m.Adopt(t.Context(), Ticket(text)); !errors.Is(err, ErrTicket) {
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
