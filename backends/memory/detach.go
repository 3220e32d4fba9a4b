package memory

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// seal is what the store knows of the ticket to a detached grant.
type seal struct {
	hash  [sha256.Size]byte // of the proof
	until time.Time
}

// Detach takes a grant from its client, see [backends.Backend]. A timer ends the grant when its TTL
// is over, unless a client adopts it before.
func (b *Backend) Detach(ctx context.Context, d backends.Detachment) error {
	name := d.Grant.Resource.Name
	if err := d.Check(); err != nil {
		return wrap("detach", "", err)
	}
	return b.run(ctx, "detach", name, func(s *store) error {
		r, i, err := s.held(&d.Grant)
		if err != nil {
			return err
		}
		h := r.holders[i]
		h.Token = d.Token // holders stay sorted: only a single holder has more than one token
		h.seal = &seal{sha256.Sum256(d.Proof[:]), time.Now().Add(d.TTL)}
		s.disown(r, h, d.TTL)
		return nil
	})
}

// Adopt makes a detached grant the client's own, see [backends.Backend].
func (b *Backend) Adopt(ctx context.Context, a backends.Adoption) (g backends.Grant, err error) {
	if err := a.Check(capabilities); err != nil {
		return g, wrap("adopt", "", err)
	}
	err = b.run(ctx, "adopt", a.Name, func(s *store) error {
		r := s.resources[a.Name]
		if r == nil || r.Resource != a.Resource {
			return backends.ErrTicket
		}
		i := slices.IndexFunc(r.holders, func(h *holder) bool { return h.ID == a.ID && h.seal != nil })
		if i < 0 || r.holders[i].Weight != a.Weight || r.holders[i].seal.hash != sha256.Sum256(a.Proof[:]) {
			return backends.ErrTicket
		}
		h := r.holders[i]
		h.timer.Stop()
		h.timer, h.seal = nil, nil
		b.seq++
		h.ID, h.Owner = backends.GrantID{Client: b.id, Seq: b.seq}, a.Owner
		h.notify, h.quiet, h.tries = a.Notify, a.Quiet, a.Tries
		g = backends.Grant{
			ID: h.ID, Resource: r.Resource, Weight: h.Weight, Token: h.Token, Tokens: 1,
			Contended: r.contended(b.id), AtLeast: h.least,
		}
		return nil
	})
	return g, err
}
