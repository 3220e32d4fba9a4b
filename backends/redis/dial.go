package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
)

// silence is how long a server may take to answer before its connections count as dead.
const silence = time.Second

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// dialing makes the connections of a client. A failure on a connection counts against the server, a
// caller that gives up does not: its connection goes to the next caller.
//
// The pool of the client library remembers failed dials: after as many as it has places, it refuses
// all calls until a dial of its own, once a second, succeeds. So the pool is told of no failure.
// Instead it gets a connection on which nothing can be sent, and the call that uses it fails with
// the error.
//
// The pool also keeps connections that have fallen silent, and each of them fails one call. So the
// first one found silent makes the connections to the same address outdated that are as old, and
// the pool, which asks each connection for its state before it uses it, drops them. The pool
// notices by itself that a connection was closed. A close says nothing of other connections: a full
// server may close new ones and serve the old.
type dialing struct {
	dial   dialFunc
	eras   *eras
	opened func(*link) // nil, or called with every connection made
	closed func(*link) // nil, or called with every connection closed
}

// eras holds the era of each address. All pools of a backend share it.
type eras struct {
	byAddress sync.Map     // of *era
	late      atomic.Int64 // dials that have not returned in time
}

// era counts the times that connections to an address have fallen silent. A silent connection on
// which nothing had arrived yet says nothing of those that had worked, so it counts apart.
type era struct{ worked, fresh atomic.Uint64 }

func (e *eras) of(addr string) *era {
	v, ok := e.byAddress.Load(addr)
	if !ok {
		v, _ = e.byAddress.LoadOrStore(addr, new(era))
	}
	return v.(*era)
}

func (d *dialing) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	era := d.eras.of(addr)
	worked, fresh := era.worked.Load(), era.fresh.Load() // before the dial, which a failure may concern
	c, err := d.inTime(ctx, network, addr)
	if err != nil {
		return failedConn{&dialError{err}}, nil //nolint:nilerr // the connection returns it
	}
	l := &link{Conn: c, dialing: d, era: era, worked: worked, fresh: fresh}
	if d.opened != nil {
		d.opened(l)
	}
	return l, nil
}

// mostLate bounds the dials that have not returned in time. Beyond it no new one begins.
const mostLate = 1024

var errManyLate = errors.New("too many dials have not returned")

// dialed is what a dial has come to.
type dialed struct {
	conn net.Conn
	err  error
}

// inTime dials, and returns when ctx ends or dialTimeout is over, whatever the dial function heeds.
// That of a client with TLS heeds no context: in a black hole it would keep its place among the
// dials of the pool for the DialTimeout of the user's client, and hold up others for as long after
// the server is back. The connection of a dial that returns too late is closed. The end of such a
// dial is waited for by nobody, not even by Close.
func (d *dialing) inTime(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.eras.late.Load() >= mostLate {
		return nil, errManyLate
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var over atomic.Bool // one of the two has won
	done := make(chan dialed, 1)
	end := func(r dialed) {
		if over.CompareAndSwap(false, true) {
			done <- r
			return
		}
		d.eras.late.Add(-1)
		if r.conn != nil {
			_ = r.conn.Close()
		}
	}
	dial := actor.NewOnDemand("lockkeeper/redis.dial", end,
		func(_ dialed, p *actor.PanicError) { end(dialed{err: p}) })
	dial.Go(func() dialed {
		c, err := d.dial(ctx, network, addr)
		return dialed{c, err}
	})
	select { // a tie is decided by over: a dial that has come to something is not late
	case r := <-done:
		return r.conn, r.err
	case <-ctx.Done():
		if over.CompareAndSwap(false, true) {
			d.eras.late.Add(1)
			return nil, fmt.Errorf("dial %s %s: %w", network, addr, os.ErrDeadlineExceeded)
		}
		r := <-done
		return r.conn, r.err
	}
}

// link is a connection that was made.
type link struct {
	net.Conn
	dialing       *dialing
	era           *era
	worked, fresh uint64      // the era when it was dialled
	works         atomic.Bool // something has arrived
}

// Read notes when the server has been silent for too long. A shorter deadline of a caller proves
// nothing.
func (l *link) Read(p []byte) (int, error) {
	begin := time.Now()
	n, err := l.Conn.Read(p)
	switch {
	case n > 0:
		if !l.works.Load() {
			l.works.Store(true)
		}
	case err != nil && l.tellsOfOthers(err, begin) && l.works.Load():
		l.era.worked.CompareAndSwap(l.worked, l.worked+1)
	case err != nil && l.tellsOfOthers(err, begin):
		l.era.fresh.CompareAndSwap(l.fresh, l.fresh+1)
	}
	return n, err
}

// tellsOfOthers reports whether a failure of this connection makes others outdated. Silence does. A
// close does only for connections that the pool cannot look into, such as TLS.
func (l *link) tellsOfOthers(err error, begin time.Time) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return time.Since(begin) >= silence
	}
	_, plain := l.Conn.(syscall.Conn)
	return !plain && !errors.Is(err, net.ErrClosed)
}

func (l *link) outdated() bool {
	return l.era.worked.Load() != l.worked || !l.works.Load() && l.era.fresh.Load() != l.fresh
}

// Close closes the connection.
func (l *link) Close() error {
	if l.dialing.closed != nil {
		l.dialing.closed(l)
	}
	return l.Conn.Close()
}

var errOutdated = errors.New("another connection of the same age has fallen silent")

// SyscallConn is called by the pool to check the connection before it uses it.
func (l *link) SyscallConn() (syscall.RawConn, error) {
	if l.outdated() {
		return nil, errOutdated
	}
	if c, ok := l.Conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return opaque{}, nil
}

// opaque stands for a connection that the pool cannot look into, such as TLS. It counts as good.
type opaque struct{}

func (opaque) Control(func(uintptr)) error    { return nil }
func (opaque) Read(func(uintptr) bool) error  { return nil }
func (opaque) Write(func(uintptr) bool) error { return nil }

// dialError says why there is no connection; nothing was sent. It unwraps to a list because the
// client library strips a wrapper around a single error.
type dialError struct{ err error }

func (e *dialError) Error() string   { return e.err.Error() }
func (e *dialError) Unwrap() []error { return []error{e.err} }

// failedConn stands for a connection that could not be made.
type failedConn struct{ err error }

func (s failedConn) Read([]byte) (int, error)              { return 0, s.err }
func (s failedConn) Write([]byte) (int, error)             { return 0, s.err }
func (s failedConn) SyscallConn() (syscall.RawConn, error) { return nil, s.err }
func (failedConn) Close() error                            { return nil }
func (failedConn) LocalAddr() net.Addr                     { return nowhere{} }
func (failedConn) RemoteAddr() net.Addr                    { return nowhere{} }
func (failedConn) SetDeadline(time.Time) error             { return nil }
func (failedConn) SetReadDeadline(time.Time) error         { return nil }
func (failedConn) SetWriteDeadline(time.Time) error        { return nil }

type nowhere struct{}

func (nowhere) Network() string { return "none" }
func (nowhere) String() string  { return "none" }
