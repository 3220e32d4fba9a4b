package manager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// wantHeld fails unless err names the lease as the holder, and wraps want.
func wantHeld(t *testing.T, err, want error, l *Lease, site string) {
	t.Helper()
	wantErr(t, err, want)
	var held *HeldError
	if !errors.As(err, &held) {
		t.Errorf("%v names no holder", err)
		return
	}
	if h := held.Holder; h.Token != l.Token() || !strings.Contains(h.Site, site) || (site == "") != (h.Site == "") || h.Since.IsZero() {
		t.Errorf("holder %+v, want token %d at %q", h, l.Token(), site)
	}
	if text := err.Error(); !strings.Contains(text, fmt.Sprintf("(token %d)", l.Token())) || !strings.Contains(text, held.Holder.Site) {
		t.Errorf("text %q", text)
	}
}

// A try, a wait that times out and one that is cancelled say who holds the name.
func TestAnAcquireThatFailsNamesTheHolder(t *testing.T) {
	for site, opts := range map[string][]Option{"": nil, "helpers_test.go:": {WithSites()}} {
		bubble(t, func(t *testing.T, m *Manager) {
			l := mustAcquire(t, m.Lock("db")) // of a helper
			_, err := m.Lock("db").TryAcquire(t.Context())
			wantHeld(t, err, ErrBusy, l, site)
			_, err = m.All(m.Lock("a"), m.Lock("db")).TryAcquire(t.Context())
			wantHeld(t, err, ErrBusy, l, site)

			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var ws []*waiter
			for range 10 { // all give up at the same instant
				ws = append(ws, startWith(ctx, m.Lock("db")))
			}
			sleep(2 * time.Second)
			for _, w := range ws {
				<-w.done
				wantHeld(t, w.err, context.DeadlineExceeded, l, site)
			}
			w, left := start(m.Lock("db")), errors.New("the user left")
			w.cancel(left)
			<-w.done
			wantHeld(t, w.err, context.Canceled, l, site)
			wantErr(t, w.err, left)
			mustRelease(t, l)
			if c := m.Stats().Totals; c.Busy != 2 || c.TimedOut != 10 || c.Cancelled != 1 || c.Failed != 0 {
				t.Errorf("counted %+v", c)
			}
		}, opts...)
	}
}

// The caller of a cancelled acquire waits for a turn of its keeper: what it returns says who holds
// the name, and its place in the queue is gone.
func TestACancelledAcquireWaitsForItsKeeper(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		w := start(m.Lock("db"))
		goOn := make(chan struct{})
		m.keeper("db").mail.Tell(tally(func(*Counters) { <-goOn })) // a turn that takes its time
		w.cancel(nil)
		w.stillWaiting(t)
		close(goOn)
		<-w.done
		wantHeld(t, w.err, context.Canceled, l, "")
		if r := row(m, "db"); r.Waiting != 0 || r.Cancelled != 1 {
			t.Errorf("left %+v", r)
		}
		mustRelease(t, l)
	})
}

// The caller of a cancelled acquire waits for a turn of its keeper, also for one that has failed.
func TestACancelledAcquireReturnsAlthoughItsKeeperFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, newFake())
		l := mustAcquire(t, m.Lock("db"))
		w := start(m.Lock("db"))
		k := m.keeper("db")
		k.mail.Tell(struct{ unknown int }{}) // a bug
		w.cancel(nil)
		<-w.done
		if w.err == nil {
			t.Error("granted by a keeper that has failed")
		}
		_ = l.Release()
		wantBalanced(t, m, 0)
	})
}
