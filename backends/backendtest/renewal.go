package backendtest

import (
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
)

var renewal = []Clause{
	{
		Name:  "Renew/Refills",
		Text:  "a renewal reserves more tokens, larger than all before; the next grant's is larger still",
		check: renewRefills,
	},
	{
		Name:  "Renew/WithoutTokens",
		Text:  "a renewal that asks for no tokens gets none and uses none",
		check: renewWithoutTokens,
	},
	{
		Name:  "Renew/Batch",
		Text:  "Renew answers every renewal, in their order; one that fails does not harm the others",
		check: renewBatch,
	},
	{
		Name:  "Renew/NeverRevives",
		Text:  "the renewal of a grant that has ended says ErrLost and does not bring it back, whether or not another holds",
		check: renewNeverRevives,
	},
}

func renewRefills(s *session) {
	b := s.open()
	r := s.writer()
	r.Tokens = 10
	g := s.acquire(s.b, r)
	last := g.Token + 9
	for _, n := range []int{1, 50, 3} {
		a := s.renew(s.b, backends.Renewal{Grant: g, TTL: long, Tokens: n})
		if a.Err != nil || a.Tokens != n || a.Token <= last {
			s.Fatalf("Renew for %d tokens after %d = %+v", n, last, a)
		}
		last = a.Token + uint64(n) - 1
		if a.ValidUntil.Before(g.ValidUntil) {
			s.Errorf("ValidUntil went back from %v to %v", g.ValidUntil, a.ValidUntil)
		}
	}
	s.busy(b, s.reader())
	s.release(s.b, g)
	if next := s.try(b, s.reader()); next.Token <= last {
		s.Errorf("the next grant got token %d after %d", next.Token, last)
	}
}

func renewWithoutTokens(s *session) {
	g := s.acquire(s.b, s.reader())
	a := s.renew(s.b, backends.Renewal{Grant: g, TTL: long})
	if a.Err != nil || a.Tokens != 0 || a.Token != 0 || a.Contended {
		s.Errorf("Renew = %+v; want no tokens, no contention, no error", a)
	}
	if token := s.inspect(s.name).Token; token != g.Token {
		s.Errorf("the last token is %d; want %d as before", token, g.Token)
	}
	s.release(s.b, g)
}

func renewBatch(s *session) {
	var rs []backends.Renewal
	const n = 12
	for i := range n {
		r := s.mutex()
		r.Name += "/" + string(rune('a'+i))
		rs = append(rs, backends.Renewal{Grant: s.acquire(s.b, r), TTL: long, Tokens: i})
	}
	ended := map[int]bool{0: true, 5: true, n - 1: true}
	for i := range ended {
		s.release(s.b, rs[i].Grant)
	}
	answers := s.b.Renew(s.ctx, rs)
	if len(answers) != n {
		s.Fatalf("%d renewals gave %d answers", n, len(answers))
	}
	for i, a := range answers {
		switch {
		case ended[i]:
			if !errors.Is(a.Err, backends.ErrLost) {
				s.Errorf("renewal %d, of a grant released before: %+v; want ErrLost", i, a)
			}
		case a.Err != nil || a.Tokens != i || i > 0 && a.Token <= rs[i].Grant.Token:
			s.Errorf("renewal %d: %+v; want %d tokens after %d", i, a, i, rs[i].Grant.Token)
		}
	}
	if answers := s.b.Renew(s.ctx, nil); len(answers) != 0 {
		s.Errorf("no renewals gave %d answers", len(answers))
	}
}

func renewNeverRevives(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.mutex())
	s.release(a, g)
	if r := s.renew(a, backends.Renewal{Grant: g, TTL: long, Tokens: 1}); !errors.Is(r.Err, backends.ErrLost) {
		s.Errorf("Renew of a released grant: %+v; want ErrLost", r)
	}
	s.unused(s.name)
	h := s.try(b, s.mutex())
	if r := s.renew(a, backends.Renewal{Grant: g, TTL: long}); !errors.Is(r.Err, backends.ErrLost) {
		s.Errorf("Renew of a released grant while another holds: %+v; want ErrLost", r)
	}
	if r := s.renew(b, backends.Renewal{Grant: h, TTL: long}); r.Err != nil {
		s.Errorf("Renew of the successor: %v", r.Err)
	}
	s.release(b, h)
}
