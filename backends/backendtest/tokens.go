package backendtest

import (
	"context"

	"github.com/lockkeeper/lockkeeper/backends"
)

var tokens = []Clause{
	{
		Name:  "Tokens/Increase",
		Text:  "the tokens of one name strictly increase from grant to grant: over releases, clients, cancelled requests, kinds, idleness and the end of clients",
		check: tokensIncrease,
	},
	{
		Name:  "Tokens/SharedGrants",
		Text:  "grants that hold at the same time have tokens of their own, in the order in which they were granted",
		check: tokensOfSharedGrants,
	},
	{
		Name:  "Tokens/BlocksAreDisjoint",
		Text:  "a reserved block of tokens is the grant's alone: the next grant's token is larger than all of it",
		check: tokenBlocks,
	},
	{
		Name:  "Tokens/FasterThanTheClock",
		Text:  "tokens increase although more were used than microseconds have passed, also after the resource was out of use",
		check: tokensOutrunClock,
	},
}

func tokensIncrease(s *session) {
	a, b := s.b, s.open()
	last := uint64(0)
	step := func(b backends.Backend, r backends.Request) {
		s.Helper()
		g := s.try(b, r)
		if g.Token <= last {
			s.Fatalf("token %d after %d", g.Token, last)
		}
		last = g.Token
		s.release(b, g)
		s.unused(s.name)
	}
	for range 20 {
		step(a, s.mutex())
		step(b, s.reader())
		step(a, s.writer())
		step(b, s.permits(2, 3))
	}
	g := s.acquire(a, s.mutex())
	last = g.Token
	w := s.queue(b, s.mutex())
	w.cancel()
	w.failed(context.Canceled)
	s.release(a, g)
	step(b, s.mutex())
	c := s.open()
	last = s.acquire(c, s.mutex()).Token
	if err := c.Close(s.ctx); err != nil {
		s.Fatalf("Close: %v", err)
	}
	s.unused(s.name)
	step(a, s.mutex())
}

func tokensOfSharedGrants(s *session) {
	b := s.open()
	var held []backends.Grant
	last := uint64(0)
	for range 10 {
		for _, c := range []backends.Backend{s.b, b} {
			g := s.try(c, s.reader())
			if g.Token <= last {
				s.Fatalf("token %d after %d", g.Token, last)
			}
			last = g.Token
			held = append(held, g)
		}
	}
	for i, g := range held {
		s.release([]backends.Backend{s.b, b}[i%2], g)
	}
}

func tokenBlocks(s *session) {
	clients := []backends.Backend{s.b, s.open()}
	last := uint64(0)
	for i, n := range []int{1, 100, 1, backends.MaxTokens, 7, 1} {
		for _, r := range []backends.Request{s.mutex(), s.writer(), s.permits(3, 3)} {
			r.Tokens = n
			b := clients[i%2]
			g := s.try(b, r)
			if g.Token <= last {
				s.Fatalf("token %d; the block before ended with %d", g.Token, last)
			}
			last = g.Token + uint64(g.Tokens) - 1
			s.release(b, g)
			s.unused(s.name)
		}
	}
}

func tokensOutrunClock(s *session) {
	last := uint64(0)
	for range 4 {
		r := s.mutex()
		r.Tokens = backends.MaxTokens
		g := s.try(s.b, r)
		if g.Token <= last {
			s.Fatalf("token %d after %d", g.Token, last)
		}
		last = g.Token + uint64(g.Tokens) - 1
		for range 20 { // over a million tokens in much less than a second
			a := s.renew(s.b, backends.Renewal{Grant: g, TTL: long, Tokens: backends.MaxTokens})
			if a.Err != nil || a.Token <= last || a.Tokens != backends.MaxTokens {
				s.Fatalf("Renew after token %d: %+v", last, a)
			}
			last = a.Token + uint64(a.Tokens) - 1
		}
		s.release(s.b, g)
		s.unused(s.name)
	}
	if g := s.try(s.open(), s.mutex()); g.Token <= last {
		s.Fatalf("token %d after %d", g.Token, last)
	}
}
