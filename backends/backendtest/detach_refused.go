package backendtest

import (
	"context"
	"errors"
	"strings"

	"github.com/lockkeeper/lockkeeper/backends"
)

func usedOnce(s *session) {
	a, b, c := s.b, s.open(), s.open()
	g := s.acquire(a, s.mutex())
	t := s.detach(a, g)
	h := s.adopt(b, t)
	again := t.adoption()
	for _, client := range []backends.Backend{a, b, c} {
		s.refuses(client, again, "a ticket used before")
	}
	own := again
	own.ID = h.ID // of the grant as it is now
	s.refuses(c, own, "a ticket used before, and the ID of the adopter")
	s.release(b, h)
	s.unused(s.name)
	s.refuses(c, again, "a ticket to a grant that was released")
	next := s.acquire(a, s.mutex())
	s.refuses(c, again, "a ticket to an earlier grant")
	s.release(a, next)
}

func refusesForged(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.permits(2, 3))
	held := s.acquire(a, s.permits(1, 3))
	t := s.detach(a, g)
	for what, forge := range map[string]func(*backends.Adoption){
		"no proof":               func(f *backends.Adoption) { f.Proof = backends.Proof{} },
		"another proof":          func(f *backends.Adoption) { f.Proof[31] ^= 1 },
		"a grant that is held":   func(f *backends.Adoption) { f.ID, f.Weight = held.ID, 1 },
		"no such grant":          func(f *backends.Adoption) { f.ID.Seq += 1 << 20 },
		"no such client":         func(f *backends.Adoption) { f.ID.Client ^= 1 },
		"another name":           func(f *backends.Adoption) { f.Name += "/other" },
		"fewer permits":          func(f *backends.Adoption) { f.Weight = 1 },
		"a larger capacity":      func(f *backends.Adoption) { f.Capacity = 4 },
		"another kind of a name": func(f *backends.Adoption) { f.Kind, f.Capacity, f.Weight = backends.Mutex, 1, 1 },
	} {
		f := t.adoption()
		forge(&f)
		s.refuses(b, f, what)
	}
	s.release(b, s.adopt(b, t))
	s.release(a, held)
	s.unused(s.name)

	t = s.detach(a, s.acquire(a, s.mutex()))
	f := t.adoption()
	f.Kind = backends.Semaphore
	s.refuses(b, f, "another kind of the same capacity")
	s.release(b, s.adopt(b, t))
	s.unused(s.name)
}

func adoptsRacing(s *session) {
	clients := []backends.Backend{s.b, s.open(), s.open(), s.open()}
	for range max(s.env.Rounds/10, 1) {
		t := s.detach(s.b, s.acquire(s.b, s.mutex()))
		type answer struct {
			client int
			grant  backends.Grant
			err    error
		}
		answers := make(chan answer, 2*len(clients))
		for i := range cap(answers) {
			s.spawned.Go(func() {
				n := i % len(clients)
				g, err := clients[n].Adopt(s.ctx, t.adoption())
				answers <- answer{n, g, err}
			})
		}
		won := 0
		for range cap(answers) {
			switch a := <-answers; {
			case a.err == nil:
				won++
				defer s.release(clients[a.client], a.grant)
			case !errors.Is(a.err, backends.ErrTicket):
				s.Errorf("Adopt beside others: %v; want ErrTicket", a.err)
			}
		}
		if won != 1 {
			s.Fatalf("%d of %d adoptions of one grant succeeded; want 1", won, cap(answers))
		}
		s.name += "'"
	}
}

func detachEnded(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.mutex())
	s.release(a, g)
	d := backends.Detachment{Grant: g, Token: g.Token, TTL: long}
	if err := a.Detach(s.ctx, d); !errors.Is(err, backends.ErrLost) {
		s.Errorf("Detach of a released grant: %v; want ErrLost", err)
	}
	s.unused(s.name)
	h := s.acquire(b, s.mutex())
	if err := a.Detach(s.ctx, d); !errors.Is(err, backends.ErrLost) {
		s.Errorf("Detach of a released grant while another holds: %v; want ErrLost", err)
	}
	if r := s.renew(b, backends.Renewal{Grant: h, TTL: long}); r.Err != nil {
		s.Errorf("Renew of the successor: %v", r.Err)
	}
	s.release(b, h)
}

func detachUnsupported(s *session) {
	g := s.acquire(s.b, s.mutex())
	d := backends.Detachment{Grant: g, Token: g.Token, TTL: long}
	if err := s.b.Detach(s.ctx, d); !errors.Is(err, backends.ErrUnsupported) {
		s.Errorf("Detach: %v; want ErrUnsupported", err)
	}
	if _, err := s.b.Adopt(s.ctx, ticket{grant: g}.adoption()); !errors.Is(err, backends.ErrUnsupported) {
		s.Errorf("Adopt: %v; want ErrUnsupported", err)
	}
	s.busy(s.open(), s.mutex())
	s.release(s.b, g)
}

func detachInput(s *session) {
	var none context.Context
	a, closed := s.b, s.open()
	s.close(closed)
	g := s.acquire(a, s.permits(1, 3))
	good := backends.Detachment{Grant: g, Token: g.Token, TTL: long}
	for what, spoil := range map[string]func(*backends.Detachment){
		"no grant":          func(d *backends.Detachment) { d.Grant = backends.Grant{} },
		"a smaller token":   func(d *backends.Detachment) { d.Token-- },
		"a larger token":    func(d *backends.Detachment) { d.Token++ },
		"no time":           func(d *backends.Detachment) { d.TTL = 0 },
		"too short a time":  func(d *backends.Detachment) { d.TTL = backends.MinTTL - 1 },
		"too long a time":   func(d *backends.Detachment) { d.TTL = backends.MaxTTL + 1 },
		"a name too long":   func(d *backends.Detachment) { d.Grant.Resource.Name = strings.Repeat("n", backends.MaxName+1) },
		"a capacity of nil": func(d *backends.Detachment) { d.Grant.Resource.Capacity = 0 },
	} {
		d := good
		spoil(&d)
		if err := a.Detach(s.ctx, d); !errors.Is(err, backends.ErrInvalid) {
			s.Errorf("Detach with %s: %v; want ErrInvalid", what, err)
		}
	}
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	for want, err := range map[error]error{
		backends.ErrInvalid: a.Detach(none, good), context.Canceled: a.Detach(ended, good),
		backends.ErrClosed: closed.Detach(s.ctx, good),
	} {
		if !errors.Is(err, want) {
			s.Errorf("Detach: %v; want %v", err, want)
		}
	}
	if h := s.inspect(s.name).Holders; len(h) != 1 || h[0].Detached {
		s.Fatalf("holders %+v; want the grant, held", h)
	}
	s.adoptInput(s.detach(a, g), closed)
}

// adoptInput expects that adoptions which make no sense are refused.
func (s *session) adoptInput(t ticket, closed backends.Backend) {
	s.Helper()
	var none context.Context
	a := s.b
	for what, spoil := range map[string]func(*backends.Adoption){
		"two tokens":          func(f *backends.Adoption) { f.Tokens = 2 },
		"no token":            func(f *backends.Adoption) { f.Tokens = 0 },
		"no weight":           func(f *backends.Adoption) { f.Weight = 0 },
		"no name":             func(f *backends.Adoption) { f.Name = "" },
		"a long label":        func(f *backends.Adoption) { f.Owner.Label = strings.Repeat("l", backends.MaxName+1) },
		"a negative at least": func(f *backends.Adoption) { f.AtLeast = -1 },
	} {
		f := t.adoption()
		spoil(&f)
		if g, err := a.Adopt(s.ctx, f); !errors.Is(err, backends.ErrInvalid) {
			s.Errorf("Adopt with %s = %+v, %v; want ErrInvalid", what, g, err)
		}
	}
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	for _, call := range []struct {
		ctx  context.Context
		by   backends.Backend
		want error
	}{{none, a, backends.ErrInvalid}, {ended, a, context.Canceled}, {s.ctx, closed, backends.ErrClosed}} {
		if g, err := call.by.Adopt(call.ctx, t.adoption()); !errors.Is(err, call.want) {
			s.Errorf("Adopt = %+v, %v; want %v", g, err, call.want)
		}
	}
	s.release(a, s.adopt(a, t))
	s.unused(s.name)
}
