package modeltest

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Requests makes a request of two clients of a store, of any arguments that a caller may choose. It
// is refused before anything is done, as [backends.Request.Check] says, or else granted and seen as it
// was made, waited for if there is no room for both, and nothing of it is left in the end. Fresh
// returns what opens further clients of an empty store, which are closed afterwards.
func Requests(f *testing.F, fresh func(t *testing.T) (open func(t testing.TB) backends.Backend)) {
	second := int64(time.Second)
	f.Add("db", "host", "label", 4711, uint8(1), int64(1), int64(1), 1, 10*second, int64(0))
	f.Add("}{%\xff\x00 \n~", "\xff\"", "{} ' \\", -1, uint8(2), int64(0), int64(1), 1, 10*second, int64(0))
	f.Add(" ", "", "", 0, uint8(2), int64(0), backends.ReadWriteCapacity, backends.MaxTokens, 86400*second, int64(0))
	f.Add("../a:b", "é", "$1;--", 1<<30, uint8(3), backends.MaxCapacity, backends.MaxCapacity-1, 1, second, second)
	f.Add("x", "h", "l", 7, uint8(3), int64(5), int64(6), 0, int64(-1), int64(-1))
	f.Add("", "h", "l", 7, uint8(0xf3), int64(-5), int64(-6), -1, int64(0), int64(1)<<62)
	f.Fuzz(func(t *testing.T, name, host, label string, pid int, kind uint8, capacity, weight int64, tokens int, ttl, least int64) {
		r := backends.Request{
			Resource: backends.Resource{Name: name, Kind: backends.Kind(kind % 4), Capacity: capacity},
			Weight:   weight, Tokens: tokens, TTL: time.Duration(ttl), AtLeast: time.Duration(least),
			Owner: backends.Owner{Host: host, PID: pid, Label: label},
		}
		switch {
		case kind >= 0xf0: // as it is; mostly the capacity is one that fits the kind
		case r.Kind == backends.Mutex:
			r.Capacity = 1
		case r.Kind == backends.ReadWrite:
			r.Capacity = backends.ReadWriteCapacity
		}
		if backends.CheckTTL(r.TTL) == nil {
			r.TTL = max(r.TTL, long) // for a busy machine
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		w, open := &world{T: t, ctx: ctx}, fresh(t)
		w.stores[0], w.stores[1] = open(t), open(t)
		w.request(r)
		for _, b := range w.stores[:2] {
			if err := b.Close(ctx); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
}

func (w *world) request(r backends.Request) {
	g, err := backends.TryAcquire(w.ctx, w.stores[0], r)
	switch want := r.Check(w.stores[0].Capabilities()); {
	case want != nil && (err == nil || !strings.HasSuffix(err.Error(), want.Error())):
		w.Errorf("%+v: %v; want %v", r, err, want)
	case want != nil:
	case err != nil:
		w.Errorf("%+v: %v", r, err)
	default:
		w.bothWant(r, g)
	}
	for s, err := range w.stores[1].List(w.ctx) {
		w.Errorf("%+v: %+v, %v is left", r, s, err)
	}
}

// bothWant goes on when the first client has the grant.
func (w *world) bothWant(r backends.Request, g backends.Grant) {
	if g.Resource != r.Resource || g.Weight != r.Weight || g.Tokens != r.Tokens || g.Token == 0 {
		w.Errorf("%+v is granted as %+v", r, g)
	}
	second := start(w.stores[1], true, nil, []backends.Request{r})
	room := r.Capacity-r.Weight >= r.Weight
	if room {
		w.await(second)
	}
	s, err := w.stores[1].Inspect(w.ctx, r.Name)
	holders := 1
	if room {
		holders = 2
	}
	if err != nil || s.Resource != r.Resource || len(s.Holders) != holders || len(s.Holders)+len(s.Waiters) != 2 {
		w.Errorf("%+v is seen as %+v, %v", r, s, err)
	}
	for _, h := range s.Holders {
		if h.Owner != r.Owner || h.Weight != r.Weight {
			w.Errorf("%+v: a holder is seen as %+v", r, h)
		}
	}
	for _, q := range s.Waiters {
		if q.Owner != r.Owner || q.Weight != r.Weight {
			w.Errorf("%+v: a waiter is seen as %+v", r, q)
		}
	}
	g.AtLeast = 0 // it was not used, so nothing is kept
	if err := backends.Release(w.ctx, w.stores[0], g); err != nil {
		w.Errorf("%+v: release: %v", r, err)
	}
	w.await(second)
	if next := second.answers()[0]; next.err == nil {
		if next.grant.Token <= g.Token {
			w.Errorf("%+v: token %d after %d", r, next.grant.Token, g.Token)
		}
		next.grant.AtLeast = 0
		if err := backends.Release(w.ctx, w.stores[1], next.grant); err != nil {
			w.Errorf("%+v: second release: %v", r, err)
		}
	}
}

// await waits for the grant of a request.
func (w *world) await(of *run) {
	for of.answers()[0].times == 0 {
		if w.ctx.Err() != nil {
			w.Fatal("a request is not granted")
		}
		runtime.Gosched()
	}
	if err := of.answers()[0].err; err != nil && !errors.Is(err, context.Canceled) {
		w.Errorf("a request that waits fails: %v", err)
	}
}
