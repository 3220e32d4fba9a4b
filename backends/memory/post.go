package memory

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

var _ backends.Poster = (*Backend)(nil)

// Post prepares an acquire for which no goroutine waits, and which can release a grant in the same
// step. See [backends.Poster]. A store in memory gains nothing by it: it is here as the
// specification. Post panics without Answered, and with After but without Released.
func (b *Backend) Post(p backends.Post) backends.Posted {
	b.made()
	if p.Answered == nil || p.After != nil && p.Released == nil {
		panic("memory: Post needs Answered, and Released with After")
	}
	c := &call{turn: (*store).post, client: b, request: p.Request}
	c.told = func(err error) {
		if err != nil {
			c.grant = backends.Grant{}
		}
		p.Answered(c.grant, wrap("acquire", p.Name, err))
	}
	return &posted{call: c, post: p}
}

// posted is an acquire in the hands of who posted it.
type posted struct {
	call *call
	post backends.Post
}

// Send has the store release and acquire in one turn. See [backends.Posted].
func (p *posted) Send(ctx context.Context) {
	c := p.call
	refused := p.post.Check(capabilities)
	if refused == nil {
		refused = ended(ctx)
	}
	c.other = func(s *store) {
		if after := p.post.After; after != nil {
			p.post.Released(wrap("release", after.Resource.Name, s.releaseFor(c.client, *after)))
		}
		switch {
		case c.state.Load() == answered: // cancelled before it was sent
		case refused != nil:
			c.answer(refused)
		default:
			s.acquire(c)
		}
	}
	c.client.store.actor.Deliver(c)
}

// post is the turn of Send.
func (s *store) post(c *call) { c.other(s) }

// Cancel takes the request out of the queue. See [backends.Posted].
func (p *posted) Cancel() {
	cancel := &call{turn: (*store).cancelPost, client: p.call.client, target: p.call, since: time.Now(), told: func(error) {}}
	if a := p.call.client.store.actor; !a.TryDeliver(cancel) {
		a.Tell(cancel)
	}
}

func (s *store) cancelPost(c *call) {
	switch t := c.target; {
	case t.place != nil:
		s.cancelWait(c)
	default:
		t.answer(context.Canceled) // unless it was answered before
	}
}
