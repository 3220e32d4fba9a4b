package backendtest

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

var faults = []Clause{
	{
		Name:  "Crash/Holder",
		Text:  "what a dead client held is free soon: at once where the store notices, else when its grant expires; tokens go on increasing",
		needs: needsCrash,
		check: crashedHolder,
	},
	{
		Name:  "Crash/Waiter",
		Text:  "a dead client's requests delay those behind them only until the store has noticed",
		needs: needsCrash,
		check: crashedWaiter,
	},
	{
		Name: "CutOff/IsUnavailable",
		Text: "a store that cannot be reached is ErrUnavailable or the end of the context, never ErrBusy and never a grant; every call answers within its context",
		needs: func(s *session) string {
			if s.env.CutOff == nil {
				return "Env.CutOff is nil"
			}
			return ""
		},
		check: cutOff,
	},
}

func needsCrash(s *session) string {
	if s.env.Crash == nil {
		return "Env.Crash is nil"
	}
	return ""
}

func crashedHolder(s *session) {
	dead := s.env.Open(s.TB)
	g := s.acquire(dead, s.short(s.mutex()))
	w := s.follow(s.b, s.mutex())
	s.env.Crash(s.TB, dead)
	h := w.granted()
	if h.Token <= g.Token {
		s.Errorf("token %d after %d", h.Token, g.Token)
	}
	s.release(s.b, h)
	s.unused(s.name)
}

func crashedWaiter(s *session) {
	dead, b := s.env.Open(s.TB), s.open()
	g := s.acquire(s.b, s.mutex())
	s.queue(dead, s.short(s.mutex()))
	w := s.queue(b, s.mutex())
	s.env.Crash(s.TB, dead)
	s.release(s.b, g)
	s.release(b, w.granted())
	s.unused(s.name)
}

func cutOff(s *session) {
	b := s.open()
	g := s.acquire(b, s.mutex())
	restore := s.env.CutOff(s.TB, b)
	try := func(what string, call func(ctx context.Context) error) {
		s.Helper()
		ctx, cancel := context.WithTimeout(s.ctx, 200*time.Millisecond)
		defer cancel()
		err := call(ctx)
		if !errors.Is(err, backends.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			s.Errorf("%s without the store: %v; want ErrUnavailable or the end of the context", what, err)
		}
		if errors.Is(err, backends.ErrBusy) || errors.Is(err, backends.ErrLost) {
			s.Errorf("%s without the store claims to know: %v", what, err)
		}
	}
	other := s.mutex()
	other.Name += "/other"
	try("TryAcquire", func(ctx context.Context) error { _, err := backends.TryAcquire(ctx, b, other); return err })
	try("Acquire", func(ctx context.Context) error { _, err := backends.Acquire(ctx, b, other); return err })
	try("Inspect", func(ctx context.Context) error { _, err := b.Inspect(ctx, s.name); return err })
	try("Renew", func(ctx context.Context) error {
		return b.Renew(ctx, []backends.Renewal{{Grant: g, TTL: long}})[0].Err
	})
	restore()
	s.release(s.b, s.acquire(s.b, other)) // nothing of the failed requests is in the way
	a := s.renew(b, backends.Renewal{Grant: g, TTL: long})
	for a.Err != nil && !errors.Is(a.Err, backends.ErrLost) && s.ctx.Err() == nil {
		a = s.renew(b, backends.Renewal{Grant: g, TTL: long})
	}
	if a.Err != nil {
		s.Errorf("Renew after the store is back: %v", a.Err)
	}
	s.release(b, g)
}
