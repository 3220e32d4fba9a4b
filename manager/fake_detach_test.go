package manager

import (
	"context"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

func (f *fake) Detach(ctx context.Context, d backends.Detachment) error {
	return f.call(ctx, "detach", func() error {
		s := f.store
		s.mu.Lock()
		defer s.mu.Unlock()
		x := s.name(d.Grant.Resource.Name)
		i := slices.IndexFunc(x.holders, func(h *fakeGrant) bool { return h.ID == d.Grant.ID })
		if i < 0 {
			return &LostError{Name: d.Grant.Resource.Name, Token: d.Grant.Token, Reason: NotOwner}
		}
		h := x.holders[i]
		h.detached, h.proof, h.Token, h.Tokens = h.ID, d.Proof, d.Token, 1
		h.ID, h.client, h.notify, h.expires = backends.GrantID{}, 0, nil, time.Now().Add(d.TTL)
		return nil
	})
}

func (f *fake) Adopt(ctx context.Context, a backends.Adoption) (g backends.Grant, err error) {
	sent := time.Now()
	err = f.call(ctx, "adopt", func() error {
		s := f.store
		s.mu.Lock()
		defer s.mu.Unlock()
		x := s.name(a.Name)
		i := slices.IndexFunc(x.holders, func(h *fakeGrant) bool {
			return h.detached == a.ID && h.proof == a.Proof && h.ID == backends.GrantID{}
		})
		if i < 0 {
			return ErrTicket
		}
		h := x.holders[i]
		s.seq++
		h.ID, h.client, h.notify = backends.GrantID{Client: f.id, Seq: s.seq}, f.id, a.Notify
		h.expires = time.Now().Add(a.TTL)
		g = h.Grant
		g.ValidUntil, g.Contended = backends.ValidUntil(sent, a.TTL), x.others(f.id)
		return nil
	})
	return g, err
}
