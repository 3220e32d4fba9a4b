package memory

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Renew reserves more tokens for grants, and tells which have ended. There is no validity to
// prolong.
func (b *Backend) Renew(ctx context.Context, rs []backends.Renewal) []backends.Renewed {
	answers := make([]backends.Renewed, len(rs))
	err := b.run(ctx, "renew", "", func(s *store) error {
		for i := range rs {
			answers[i] = s.renew(b, &rs[i])
		}
		return nil
	})
	if err != nil {
		for i := range answers {
			answers[i] = backends.Renewed{Err: err}
		}
	}
	return answers
}

func (s *store) renew(b *Backend, rn *backends.Renewal) backends.Renewed {
	if err := rn.Check(capabilities); err != nil {
		return backends.Renewed{Err: wrap("renew", "", err)}
	}
	r, _, err := s.held(&rn.Grant)
	if err != nil {
		return backends.Renewed{Err: wrap("renew", rn.Grant.Resource.Name, err)}
	}
	answer := backends.Renewed{Tokens: rn.Tokens, Contended: r.contended(b.id)}
	if rn.Tokens > 0 {
		answer.Token = r.mint(rn.Tokens, time.Now())
	}
	return answer
}
