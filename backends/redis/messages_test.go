package redis_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// message is one that the fuzzer sends: its words may be those of the case.
func message(word, numbers, name string, holder, waiter backends.GrantID) string {
	numbers = strings.NewReplacer("H", fmt.Sprintf("%x", holder.Seq), "W", fmt.Sprintf("%x", waiter.Seq)).Replace(numbers)
	return word + " " + numbers + " " + name
}

// Messages of another client, or of anybody who may publish, in any order, twice, and with any bytes:
// nobody is granted what is held, the holder keeps what it has, and the waiter gets it after the
// release.
func FuzzMessages(f *testing.F) {
	f.Add("g1 H:1:1:1 db\ng0 W:1764000000000000:1764000000000000:1 db")
	f.Add("g0 W:1:2:3,W:4:5:6 db\nc 1 db\nt 1 db\nm 1 db\nb 1 db\nb 1 db")
	f.Add("g1 W db\ng1 ff:1:1:1 db\ng1 1:1:1:1 other\nc  \n\nm 1 other\n\xff\x00")
	f.Add("t H db\nm\nb\nc\ng1\ng0 : db\nx 1 db")
	f.Fuzz(func(t *testing.T, text string) {
		b := newBed(t, server.Get(t))
		a, c := b.open(), b.open()
		lost := make(chan error, 100)
		r := mutex("db", time.Minute)
		r.Notify = func(e backends.Event) {
			if e.Type == backends.Lost {
				lost <- e.Err
			}
		}
		g := b.acquire(a, r)
		w := b.queue(c, mutex("db", time.Minute))
		s, err := a.Inspect(b.ctx, "db")
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range bytes.Split([]byte(text), []byte("\n")) {
			f := strings.SplitN(string(line), " ", 3)
			if n == 20 {
				break
			}
			payload := string(line)
			if len(f) == 3 {
				payload = message(f[0], f[1], f[2], g.ID, s.Waiters[0].ID)
			}
			a.Hear(payload)
			c.Hear(payload)
		}
		if now, err := a.Inspect(b.ctx, "db"); err != nil || len(now.Holders) != 1 || now.Holders[0].ID != g.ID || len(now.Waiters) != 1 {
			t.Fatalf("after %q: %+v, %v", text, now, err)
		}
		select {
		case <-w.ended:
			t.Fatalf("after %q the waiter has ended: %+v, %v", text, w.grant, w.err)
		case err := <-lost:
			t.Fatalf("after %q: %v", text, err)
		default:
		}
		b.release(a, g)
		next := w.granted()
		if next.Token <= g.Token {
			t.Fatalf("token %d after %d", next.Token, g.Token)
		}
		b.release(c, next)
	})
}

// Whatever stands in the hash and the indexes of a name: every call works, or says that the data
// cannot be read, and no script ends in the middle.
func FuzzHash(f *testing.F) {
	f.Add("m", "junk", "k", "1", "member", 1.0)
	f.Add("g:0123456789abcdef-1", "1764000005000000 h1 5 1 7 {}", "d", "1", "g:0123456789abcdef-1", 1764000005000000.0)
	f.Add("w:0123456789abcdef-1", "1 1 1 h1 ab 7 {}", "q", "2", "0123456789abcdef-1", 1.0)
	f.Add("c:0123456789abcdef", "1 99", "t", "4503599627370496", "", 0.0)
	f.Add("x:0123456789abcdef-1", "5", "d", "2", "x:0123456789abcdef-1", -1.0)
	f.Add("p", "9007199254740992", "u", "9", "\xff", 1e300)
	f.Add("v", "5", "r", "\x00", "g:", 1.5)
	f.Fuzz(func(t *testing.T, field, value, field2, value2, member string, score float64) {
		b := newBed(t, server.Get(t))
		a, c := b.open(), b.open()
		r := mutex("db", time.Minute)
		r.Kind, r.Capacity = backends.Semaphore, 3
		first := r
		g := b.acquire(a, first)
		h := b.hash("db")
		b.client.HSet(b.ctx, h, field, value, field2, value2)
		if score == score { //nolint:gocritic // a number
			for _, index := range []string{":q", ":d"} {
				b.client.Do(b.ctx, "ZADD", h+index, score, member)
			}
		}
		told := func(call string, err error) {
			t.Helper()
			for _, is := range []error{nil, backends.ErrMismatch, backends.ErrBusy, backends.ErrLost, backends.ErrTicket} {
				if errors.Is(err, is) && !errors.Is(err, backends.ErrUnavailable) {
					return
				}
			}
			t.Fatalf("%q is %q, %q is %q, %q at %v: %s: %v", field, value, field2, value2, member, score, call, err)
		}
		for _, weight := range []int64{1, 3} {
			r.Weight = weight
			_, err := backends.TryAcquire(b.ctx, c, r)
			told("TryAcquire", err)
		}
		_, err := c.Inspect(b.ctx, "db")
		told("Inspect", err)
		told("Renew", b.renew(a, g, time.Minute).Err)
		told("Detach", a.Detach(b.ctx, backends.Detachment{Grant: g, Token: g.Token, TTL: time.Minute}))
		_, err = c.Adopt(b.ctx, backends.Adoption{Request: first, ID: g.ID})
		told("Adopt", err)
		told("Release", backends.Release(b.ctx, a, g))
		told("Break", c.Break(b.ctx, "db"))
		b.client.Del(b.ctx, h, h+":q", h+":d")
	})
}
