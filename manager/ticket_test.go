package manager

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// Whatever is changed in a ticket, it is refused, and the true one is still good.
func TestForgedTicketIsRefused(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		ticket := mustDetach(t, mustAcquire(t, a.Semaphore("a b/ü\x00", 3).Permits(2)))
		if !regexp.MustCompile(`^[A-Za-z0-9._-]+$`).MatchString(string(ticket)) {
			t.Errorf("the ticket %q needs escapes in a URL", ticket)
		}
		text, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(string(ticket), ticketPrefix))
		if err != nil {
			t.Fatal(err)
		}
		said := string(text)
		forged := []Ticket{"", "lk1.", "x", ticket + "A", " " + ticket, ticket[:len(ticket)-1], ticket[1:], "lk1.bnVsbA"}
		for i := range text {
			changed := []byte(said)
			changed[i] ^= 1
			forged = append(forged, Ticket(ticketPrefix+base64.RawURLEncoding.EncodeToString(changed)))
		}
		for _, more := range []string{said + " ", strings.Replace(said, `"w":2`, `"w":2,"l":-1`, 1), strings.Replace(said, `"w":2`, `"w":1`, 1), strings.Replace(said, `"s":"`, `"x":0,"s":"`, 1)} {
			forged = append(forged, Ticket(ticketPrefix+base64.RawURLEncoding.EncodeToString([]byte(more))))
		}
		for _, f := range forged {
			if l, err := b.Adopt(context.Background(), f); !errors.Is(err, ErrTicket) || l != nil {
				t.Errorf("Adopt(%q) = %v, %v; want ErrTicket", f, l, err)
			}
		}
		mustRelease(t, mustAdopt(t, b, ticket))
		wantFree(t, a.Semaphore("a b/ü\x00", 3).Permits(3))
	})
}

func FuzzTicket(f *testing.F) {
	g := backends.Grant{Resource: backends.Resource{Name: "db", Kind: backends.Semaphore, Capacity: 3}, Weight: 2, Token: 7, AtLeast: time.Minute}
	f.Add(string(newTicket(&g)))
	f.Add("lk1.")
	f.Add("lk1.e30")
	f.Fuzz(func(t *testing.T, text string) {
		c, s, err := Ticket(text).claim(nil)
		if err != nil {
			if !errors.Is(err, ErrTicket) {
				t.Errorf("%v is no ErrTicket", err)
			}
			return
		}
		if c.check() != nil || c.name != string(s.Name) || c.weight != s.Weight {
			t.Errorf("claim %+v of %+v", c, s)
		}
	})
}

// All of a ticket but its secret can be seen by anyone who reads the store. The secret of an earlier
// ticket to the same lease does not help.
func TestTicketCannotBeMadeFromWhatIsSeen(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		first := mustDetach(t, mustAcquire(t, a.Lock("db")))
		second := mustDetach(t, mustAdopt(t, b, first))
		_, old, err := first.claim(b)
		wantErr(t, err, nil)
		_, seen, err := second.claim(b)
		wantErr(t, err, nil)
		if len(seen.Secret) < 26 || seen.Secret == old.Secret {
			t.Errorf("secrets %q and %q; want 128 random bits each", old.Secret, seen.Secret)
		}
		seen.Secret = old.Secret
		text, err := json.Marshal(&seen)
		wantErr(t, err, nil)
		_, err = a.Adopt(context.Background(), Ticket(ticketPrefix+base64.RawURLEncoding.EncodeToString(text)))
		wantErr(t, err, ErrTicket)
		mustRelease(t, mustAdopt(t, a, second))
	})
}

// A text of any length is refused before it is read, and the longest name has a ticket.
func TestTicketHasALimitedLength(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		name := strings.Repeat("n", backends.MaxName)
		l := mustAcquire(t, a.Semaphore(name, backends.MaxCapacity).Permits(backends.MaxCapacity), HoldAtLeast(DefaultTTL))
		ticket := mustDetach(t, l)
		long := ticketPrefix + base64.RawURLEncoding.EncodeToString([]byte(`{"n":"`+strings.Repeat("A", 1<<20)+`"}`))
		if _, err := b.Adopt(context.Background(), Ticket(long)); !errors.Is(err, ErrTicket) || !strings.Contains(err.Error(), "longer") {
			t.Errorf("%v; want ErrTicket, for its length", err)
		}
		mustRelease(t, mustAdopt(t, b, ticket))
	})
}

// To another store a ticket means nothing. It touches nobody there, and is still good at its own.
func TestTicketOfAnotherStore(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		other := newManager(t, memory.New())
		ticket := mustDetach(t, mustAcquire(t, a.Lock("db")))
		refused := func(want error) {
			t.Helper()
			_, err := other.Adopt(context.Background(), ticket)
			wantErr(t, err, want)
		}
		refused(ErrTicket)
		l := mustAcquire(t, other.Lock("db"))
		w := start(other.Lock("db"))
		refused(ErrTicket)
		w.stillWaiting(t)
		mustRelease(t, l)
		mustRelease(t, w.granted(t))
		l = mustAcquire(t, other.RWLock("db").Read())
		refused(ErrMismatch)
		if !l.Valid() {
			t.Error("a holder of the other store has lost its lease")
		}
		mustRelease(t, l)
		wantFree(t, other.Lock("db"))
		if n := row(other, "db"); n.Failed != 3 || n.Acquisitions != 4 {
			t.Errorf("%+v; want three failures", n.Counters)
		}
		mustRelease(t, mustAdopt(t, b, ticket))
	})
}

// Whatever is cut out of a ticket, or put into it: no other text than the ticket adopts its lease, and
// the ticket still does.
func FuzzAdopt(f *testing.F) {
	f.Add(uint16(0), uint16(0), "", "")
	f.Add(uint16(3), uint16(1), "A", "db")
	f.Add(uint16(0), uint16(4), "lk2.", "\xff")
	f.Add(uint16(100), uint16(1000), "", "name")
	f.Add(uint16(0), uint16(0), "\n", "a b")
	f.Fuzz(func(t *testing.T, at, without uint16, with, name string) {
		name = name[:min(len(name), backends.MaxName)]
		if name == "" {
			return
		}
		m := newManager(t, memory.New())
		ticket := mustDetach(t, mustAcquire(t, m.Lock(name)))
		from := min(int(at), len(ticket))
		to := min(from+int(without), len(ticket))
		if forged := ticket[:from] + Ticket(with) + ticket[to:]; forged != ticket {
			if l, err := m.Adopt(context.Background(), forged); !errors.Is(err, ErrTicket) || l != nil {
				t.Fatalf("Adopt(%q) = %v, %v; the ticket is %q", forged, l, err, ticket)
			}
		}
		mustRelease(t, mustAdopt(t, m, ticket))
	})
}
