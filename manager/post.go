package manager

import "github.com/lockkeeper/lockkeeper/backends"

// post puts the request before a store that keeps nobody waiting for its answer: a Poster. Unlike a try it is never in vain, so the
// request's own caller sends it, if that has not begun to wait yet, however likely the answer is to be a grant.
func (k *keeper) post(r *request, q backends.Request) {
	a := &ask{last: k.uses, weight: r.weight}
	lent, ctx := true, r.ctx // lent does not change once the post is sent
	p := k.m.poster.Post(backends.Post{Request: q, Answered: func(g backends.Grant, err error) {
		msg := &answered{ask: a, grant: g, err: err}
		if lent && err != nil && ctx.Err() != nil {
			msg.gone = r
		}
		k.tell(msg)
	}})
	a.cancel = p.Cancel
	k.asking = a
	if ctx == nil || !k.lend(&r.chore, func() message { p.Send(ctx); a.sent.Store(true); return nil }) {
		lent = false
		k.send(p, a, nil)
	}
}

// relay gives the whole grant back and asks for the next waiter of this process in one request, and reports whether it could: then the
// turns of several processes with many waiters each cost two requests, not three.
func (k *keeper) relay(b backends.Grant, l *lease) bool {
	r := k.queue.head
	if k.m.poster == nil || r == nil || r.try || k.asking != nil || k.strays.n > 0 || k.ownBack || k.closing {
		return false
	}
	a := &ask{last: k.uses, weight: r.weight}
	p := k.m.poster.Post(backends.Post{
		Request:  k.storeRequest(r),
		After:    &b,
		Released: func(err error) { k.tell(&returned{l, true, err}) },
		Answered: func(g backends.Grant, err error) { k.tell(&answered{ask: a, grant: g, err: err}) },
	})
	a.cancel = p.Cancel
	k.asking, k.ownBack = a, true
	k.returning++
	k.send(p, a, l)
	return true
}

// send has a post sent, within the time for a release: by the caller of a release, if there is one, else by a task.
func (k *keeper) send(p backends.Posted, a *ask, l *lease) {
	call := func() {
		ctx, cancel := k.m.timeout(k.m.cfg.releaseTimeout)
		defer cancel()
		p.Send(ctx)
		a.sent.Store(true)
	}
	if l == nil || !k.lend(&l.chore, func() message { call(); return nil }) {
		k.mail.Go(func() message { call(); return nothing{} })
	}
}

// tell tells the keeper something in the turn of another actor, at once if the keeper is at rest: its turn waits for nothing, and of the
// store it calls only what may be called there.
func (k *keeper) tell(msg message) {
	if !k.mail.TryDeliver(msg) {
		k.mail.Tell(msg)
	}
}
