package redis

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// laneDials bounds how many dials of a lane may go on at a time: that of the present call, and
// those that earlier calls have given up.
const laneDials = 8

// lane is one connection for a caller that has nothing else to do than to wait for its own command: it does the I/O itself,
// which saves two goroutine switches each way. The client library does not notice that a context is cancelled while it
// reads; here there is one call at a time, so it is known whose connections to close then.
//
// Owns: its client. One call at a time has it, from take to the end of do. It has no connection
// until its first call, and usually one from then on. A dial that was given up may bring another,
// which serves a later call.
type lane struct {
	client *redis.Client
	busy   atomic.Bool
	ends   atomic.Int32 // of do and cut, where both have begun to end a call

	mu      sync.Mutex         // guards what follows; no actor is near
	links   map[*link]struct{} // open connections
	cutting bool               // the present call has been ended, and has not left yet
}

// newLane returns a lane for the options of a client, which it changes.
func newLane(opt redis.Options, e *eras) *lane {
	l := &lane{links: make(map[*link]struct{})}
	d := dialing{dial: dialerOf(&opt), eras: e, opened: l.opened, closed: l.closed}
	opt.Dialer = d.Dial
	opt.PoolSize, opt.MaxConcurrentDials, opt.MaxActiveConns = laneDials, laneDials, 0
	l.client = redis.NewClient(&opt)
	return l
}

// take reports whether the lane was free; then the caller has it, and must call do.
func (l *lane) take() bool { return l != nil && !l.busy.Load() && l.busy.CompareAndSwap(false, true) }

// do has f talk to the server with the lane's client, and leaves the lane. The end of ctx ends the I/O: the
// connection is closed, and the outcome of what was sent is unknown.
func (l *lane) do(ctx context.Context, f func(context.Context, redis.UniversalClient)) {
	if ctx.Done() == nil {
		defer l.busy.Store(false)
		f(ctx, l.client)
		return
	}
	stop := context.AfterFunc(ctx, l.cut)
	f(ctx, l.client)
	if stop() {
		l.busy.Store(false)
	} else {
		l.leave()
	}
}

// opened notes a connection, and closes it if its call is being ended, which it would block.
func (l *lane) opened(c *link) {
	l.mu.Lock()
	cutting := l.cutting
	l.links[c] = struct{}{}
	l.mu.Unlock()
	if cutting {
		_ = c.Close()
	}
}

func (l *lane) closed(c *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.links, c)
}

// cut ends the I/O of a call whose context has ended. It closes all connections of the lane, since
// it does not know which one the call uses. The client library notices and dials anew; an idle
// connection that is closed costs one more dial.
func (l *lane) cut() {
	l.mu.Lock()
	l.cutting = true
	links := make([]*link, 0, len(l.links))
	for c := range l.links {
		links = append(links, c)
	}
	l.mu.Unlock()
	for _, c := range links {
		_ = c.Close() // nothing is left to lose
	}
	l.leave()
}

// leave frees the lane when both do and cut are done with it: a late cut must not hit the next call.
func (l *lane) leave() {
	if l.ends.Add(1) < 2 {
		return
	}
	l.ends.Store(0)
	l.mu.Lock()
	l.cutting = false
	l.mu.Unlock()
	l.busy.Store(false)
}
