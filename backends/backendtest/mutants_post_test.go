package backendtest_test

import (
	"context"
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
)

// posted is a request whose sending and cancelling can be replaced.
type posted struct {
	backends.Posted
	send   func(context.Context)
	cancel func()
}

func (p posted) Send(ctx context.Context) {
	if p.send != nil {
		p.send(ctx)
		return
	}
	p.Posted.Send(ctx)
}

func (p posted) Cancel() {
	if p.cancel != nil {
		p.cancel()
		return
	}
	p.Posted.Cancel()
}

// eachPost changes what becomes of posts.
func (h *hooks) eachPost(f func(p backends.Post, post func(backends.Post) backends.Posted) backends.Posted) {
	inner := h.Backend.(backends.Poster)
	h.post = func(p backends.Post) backends.Posted { return f(p, inner.Post) }
}

type poster = func(backends.Post) backends.Posted

// mutantsOfPosts have faults in requests that nobody waits for.
var mutantsOfPosts = []mutant{
	{
		name:  "a post releases nothing",
		found: []string{"Post/ReleasesFirst", "Post/AfterAlone", "Post/CancelReleases", "Post/Refused"},
		change: func(h *hooks) {
			h.eachPost(func(p backends.Post, post poster) backends.Posted {
				if p.After != nil {
					p.After = nil
					released := p.Released
					return posted{Posted: post(p), send: func(ctx context.Context) {
						released(nil)
						post(p).Send(ctx)
					}}
				}
				return post(p)
			})
		},
	},
	{
		name:  "a post keeps the grant for itself",
		found: []string{"Post/ReleasesFirst", "Post/AfterAlone"},
		change: func(h *hooks) {
			h.eachPost(func(p backends.Post, post poster) backends.Posted {
				if p.After == nil {
					return post(p)
				}
				return posted{Posted: post(p), send: func(context.Context) { p.Released(nil); p.Answered(*p.After, nil) }}
			})
		},
	},
	{
		name:  "a post after a grant that has ended fails",
		found: []string{"Post/AfterEnded"},
		change: func(h *hooks) {
			h.eachPost(func(p backends.Post, post poster) backends.Posted {
				if p.After == nil {
					return post(p)
				}
				inner, released, answered := post(p), p.Released, p.Answered
				return posted{Posted: inner, send: func(ctx context.Context) {
					err := h.Backend.Release(ctx, *p.After)
					released(err)
					if errors.Is(err, backends.ErrLost) {
						answered(backends.Grant{}, err)
						return
					}
					p.After, p.Released = nil, nil
					post(p).Send(ctx)
				}}
			})
		},
	},
	{
		name:  "a post that is cancelled stays in the queue",
		found: []string{"Post/Cancel"},
		change: func(h *hooks) {
			h.eachPost(func(p backends.Post, post poster) backends.Posted {
				return posted{Posted: post(p), cancel: func() { p.Answered(backends.Grant{}, context.Canceled) }}
			})
		},
	},
	{
		name:  "a post that is cancelled is told so but keeps what it got",
		found: []string{"Post/CancelRacesGrant"},
		change: func(h *hooks) {
			grants := 0 // of this client, which posts one request after the other
			h.eachPost(func(p backends.Post, post poster) backends.Posted {
				answered := p.Answered
				p.Answered = func(g backends.Grant, err error) {
					if grants++; err == nil && grants%2 == 0 {
						g, err = backends.Grant{}, context.Canceled
					}
					answered(g, err)
				}
				return post(p)
			})
		},
	},
	{
		name:  "a cancellation of a post keeps its release from being sent",
		found: []string{"Post/CancelReleases"},
		change: func(h *hooks) {
			h.eachPost(func(p backends.Post, post poster) backends.Posted {
				inner, cancelled := post(p), false
				return posted{
					Posted: inner,
					cancel: func() { cancelled = true; inner.Cancel() },
					send: func(ctx context.Context) {
						if !cancelled {
							inner.Send(ctx)
						}
					},
				}
			})
		},
	},
	{
		name:  "a post that is answered is told so again when it is cancelled",
		found: []string{"Post/Cancel"},
		change: func(h *hooks) {
			h.eachPost(func(p backends.Post, post poster) backends.Posted {
				inner := post(p)
				return posted{Posted: inner, cancel: func() { inner.Cancel(); p.Answered(backends.Grant{}, context.Canceled) }}
			})
		},
	},
	{
		name:  "a post does not wait",
		found: []string{"Post/Grants", "Post/ReleasesFirst"},
		change: func(h *hooks) {
			h.eachPost(func(p backends.Post, post poster) backends.Posted {
				return posted{Posted: post(p), send: func(ctx context.Context) {
					if p.After != nil {
						p.Released(h.Backend.Release(ctx, *p.After))
					}
					p.Answered(h.Backend.TryAcquire(ctx, p.Request))
				}}
			})
		},
	},
	{
		name:  "a post does not look at its context",
		found: []string{"Post/EndedContext"},
		change: func(h *hooks) {
			h.eachPost(func(p backends.Post, post poster) backends.Posted {
				inner := post(p)
				return posted{Posted: inner, send: func(ctx context.Context) { inner.Send(context.WithoutCancel(ctx)) }}
			})
		},
	},
	{
		name:  "a post that is refused is told nothing of its release",
		found: []string{"Post/Refused"},
		change: func(h *hooks) {
			h.eachPost(func(p backends.Post, post poster) backends.Posted {
				inner := post(p)
				return posted{Posted: inner, send: func(ctx context.Context) {
					if err := p.Check(h.Backend.Capabilities()); err != nil {
						p.Answered(backends.Grant{}, err)
						return
					}
					inner.Send(ctx)
				}}
			})
		},
	},
}
