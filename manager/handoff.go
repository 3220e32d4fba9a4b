package manager

import (
	"math/rand/v2"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// maxBlock bounds the tokens that are reserved at a time. What is left of a block when a grant goes
// back is never used, so this is also how far one grant can make tokens run ahead of the clock:
// 4096 µs.
const maxBlock = 4096

// idleBlock is how many tokens to request if the name may be kept after its last use.
const idleBlock = 256

// grant is a grant of the store, and what its holder here may use of it.
type grant struct {
	backends.Grant
	live  bool // meaningful for the whole resource only: see keeper.own
	valid instant
	renew // when to prolong it

	next        uint64 // the next token
	left        int    // tokens from there on
	spareNext   uint64 // the block after that
	spareTokens int
	size        int // of the last block
	used        int // tokens given to holders

	refilling bool
	parked    bool    // no holder: the next waits for tokens on order
	contended instant // when another client was first seen to wait; 0: none does
	heard     instant // when the store last said so
	sent      instant // when the first of the renewals was sent that are not answered
	handoffs  int     // since then
	idleUntil instant // no holder: how long it is kept at most; 0: it is held, or on its way
}

type renew struct {
	renewAt  instant
	renewing bool
}

// newGrant takes in what the store has granted.
func (k *keeper) newGrant(b *backends.Grant, now instant) *grant {
	g := &k.own
	switch {
	case b.Weight != k.cap:
		g = new(grant)
	case k.own.live:
		panic("bug: two grants of the whole resource")
	}
	k.take(g, b, now)
	return g
}

func (k *keeper) take(g *grant, b *backends.Grant, now instant) {
	*g = grant{Grant: *b, live: true, next: b.Token, left: b.Tokens, size: b.Tokens}
	if b.Contended {
		g.contended = max(now, 1)
	}
	if k.expires() {
		k.prolong(g, b.ValidUntil)
	}
}

// prolong moves the validity forward, never back.
func (k *keeper) prolong(g *grant, until time.Time) {
	valid := max(k.m.at(until), 1)
	if valid < g.valid {
		return
	}
	g.valid, g.ValidUntil = valid, until
	ttl := k.m.cfg.ttl
	// lived is what valid is ahead of the sending.
	lived := backends.ValidUntil(time.Time{}, ttl).Sub(time.Time{})
	due := valid - instant(lived-ttl/renewPart) + rand.Int64N(int64(ttl/jitterPart))
	// One that is valid for less than the TTL is renewed while it can still be handed on; one that
	// goes back before that costs no renewal.
	now := k.m.now()
	g.renewAt = max(due, now+(valid-k.spare()-now)/renewPart)
}

// block returns how many tokens to request: enough for the waiters of now, and after long hand-offs
// for twice as many as were used last time, since served callers come back.
func (k *keeper) block(r *request) int {
	if r.weight != k.cap || r.least > 0 || k.m.cfg.handoffs == 0 {
		return 1
	}
	n := max(k.queue.n, 1)
	if k.lastUse > 1 {
		n = max(n, 2*k.lastUse)
	}
	if k.m.cfg.idleHold > 0 {
		n = max(n, idleBlock)
	}
	if k.rivals {
		n = min(n, k.m.cfg.handoffs+1)
	}
	return min(n, maxBlock)
}

// handOn gives the whole grant, which has no holder now, to the next waiter of this process. It
// reports false if that is impossible or would be unfair to other processes: then the grant must go
// back to the store.
func (k *keeper) handOn(now instant) bool {
	g := &k.own
	for r := k.next(); k.takesOver(r) && k.mayHandOn(g, now); r = k.next() {
		if g.left == 0 && !k.tokens(g) {
			return g.parked
		}
		k.queue.remove(r)
		waited := k.waitOf(r, now)
		if k.seat(r, g, now) {
			k.traceHandoff(r, waited)
			g.idleUntil = 0
			g.handoffs++
			k.counters.Handoffs++
			k.refillAhead()
			return true
		}
	}
	return false
}

// takesOver reports whether the request, which may be nil, can take a grant of the whole name that
// the process has already. A term of leadership, which the store knows by its token, is a grant of
// its own, and so is one whose minimum counts from the grant.
func (k *keeper) takesOver(r *request) bool {
	return r != nil && r.weight == k.cap && !r.leads && r.least == 0
}

// mayHandOn says whether a hand-off is fair, and whether the grant is good for long enough.
func (k *keeper) mayHandOn(g *grant, now instant) bool {
	switch {
	case k.m.cfg.handoffs == 0 || k.closing || g.AtLeast > 0:
		return false
	case k.expires() && now >= g.valid-k.spare():
		return false
	case g.contended != 0:
		return g.handoffs < k.m.cfg.handoffs && now-g.contended <= instant(k.m.cfg.handoffTime)
	}
	return true
}

// tokens makes tokens available in g, or parks it until they come.
func (k *keeper) tokens(g *grant) bool {
	if g.spareTokens == 0 {
		if !g.refilling {
			k.refill(g)
		}
		g.parked = true
	}
	if g.left == 0 && g.spareTokens > 0 {
		g.next, g.left = g.spareNext, g.spareTokens
		g.spareTokens = 0
	}
	return g.left > 0
}

// refillAhead orders more tokens before they run out, so that hand-offs do not wait for the store.
func (k *keeper) refillAhead() {
	g := &k.own
	if !g.live || g.refilling || g.contended != 0 || g.spareTokens > 0 || g.left > g.size/2 {
		return
	}
	if k.takesOver(k.next()) || k.m.cfg.idleHold > 0 {
		if k.mayHandOn(g, k.m.now()) {
			k.refill(g)
		}
	}
}

// refill asks the store for the next block of tokens, which also prolongs the grant.
func (k *keeper) refill(g *grant) {
	g.sending(k.m.now())
	g.refilling = true
	r := k.renewal(g)
	k.mail.Go(func() message {
		return &renewed{id: r.Grant.ID, refill: true, Renewed: first(k.m.callRenew([]backends.Renewal{r}))}
	})
}

func (k *keeper) renewal(g *grant) backends.Renewal {
	n := min(max(k.queue.n, 2*g.size), maxBlock)
	if g.contended != 0 {
		n = min(n, k.m.cfg.handoffs-g.handoffs)
	}
	return backends.Renewal{Grant: g.Grant, TTL: k.m.cfg.ttl, Tokens: max(n, 1)}
}

// refilled takes in what a renewal brought.
func (k *keeper) refilled(g *grant, a backends.Renewed) {
	k.counters.Renewals++
	if k.expires() {
		k.prolong(g, a.ValidUntil)
	}
	if a.Tokens > 0 {
		g.spareNext, g.spareTokens, g.size = a.Token, a.Tokens, a.Tokens
	}
	switch {
	case !a.Contended:
		if g.heard < g.sent { // else another client may have come since the store answered
			g.contended = 0
		}
	case g.contended == 0:
		g.rival(k.m.now())
	}
}

// sending notes that a renewal is sent.
func (g *grant) sending(now instant) {
	if !g.renewing && !g.refilling {
		g.sent = now
	}
}

// rival notes that another client waits: the budget counts from now.
func (g *grant) rival(now instant) {
	g.heard = now
	if g.contended == 0 {
		g.contended, g.handoffs = max(now, 1), 0
	}
}

// first is the answer to a single renewal. A store that gave none has told nothing.
func first(rs []backends.Renewed) backends.Renewed {
	if len(rs) == 0 {
		return backends.Renewed{Err: ErrUnavailable}
	}
	return rs[0]
}
