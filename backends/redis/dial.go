package redis

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// silence is how long a server may take for an answer before the connections to it are taken for dead.
const silence = time.Second

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// dialing makes the connections of a client. It judges servers by what connections meet, never by who asked for one: a
// connection whose caller has gone is the next caller's.
//
// The pool of the client library remembers failures to dial: after as many as it has places it refuses all calls until a
// dial of its own, once a second, succeeds. So it is told of none: instead of an error it gets a connection on which
// nothing can be sent, and the call that is to use it fails with the error. And it keeps connections that have fallen
// silent, to fail one call each. So one that has makes those to the same address outdated that are as old: the pool asks each
// for its state before it uses it. It sees by itself which were closed, and those alone: a server that is full may
// close new ones and serve the old.
type dialing struct {
	dial   dialFunc
	eras   *eras
	opened func(*link) // nil, or told of every connection
	closed func(*link)
}

// eras keeps the era of each address. All pools of a backend share it.
type eras struct{ byAddress sync.Map } // of *era

// era counts how often connections to an address have fallen silent: those that had worked, and those on which nothing
// had come yet, which say nothing of the former.
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
	worked, fresh := era.worked.Load(), era.fresh.Load() // before it is dialled: a failure meanwhile may concern it
	c, err := d.dial(ctx, network, addr)
	if err != nil {
		return stillborn{&dialError{err}}, nil //nolint:nilerr // the connection has it
	}
	l := &link{Conn: c, dialing: d, era: era, worked: worked, fresh: fresh}
	if d.opened != nil {
		d.opened(l)
	}
	return l, nil
}

// link is a connection that was made.
type link struct {
	net.Conn
	dialing       *dialing
	era           *era
	worked, fresh uint64      // the era when it was dialled
	works         atomic.Bool // something has come
}

// Read notes when the server has been silent for long. A caller that has less time says nothing of the server.
func (l *link) Read(p []byte) (int, error) {
	begin := time.Now()
	n, err := l.Conn.Read(p)
	switch {
	case n > 0:
		if !l.works.Load() {
			l.works.Store(true)
		}
	case err != nil && l.telling(err, begin) && l.works.Load():
		l.era.worked.CompareAndSwap(l.worked, l.worked+1)
	case err != nil && l.telling(err, begin):
		l.era.fresh.CompareAndSwap(l.fresh, l.fresh+1)
	}
	return n, err
}

// telling reports whether a failure of this connection tells of others: of those that the pool cannot look into also that
// it was closed.
func (l *link) telling(err error, begin time.Time) bool {
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

var errOutdated = errors.New("another connection of its time has fallen silent")

// SyscallConn is called by the pool, which looks whether the connection is still good before it uses it.
func (l *link) SyscallConn() (syscall.RawConn, error) {
	if l.outdated() {
		return nil, errOutdated
	}
	if c, ok := l.Conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return opaque{}, nil
}

// opaque is a connection into which the pool cannot look, as one with TLS: it counts as good.
type opaque struct{}

func (opaque) Control(func(uintptr)) error    { return nil }
func (opaque) Read(func(uintptr) bool) error  { return nil }
func (opaque) Write(func(uintptr) bool) error { return nil }

// dialError says why there is no connection: nothing was sent. It unwraps to a list, for the client library takes off what
// unwraps to a single error.
type dialError struct{ err error }

func (e *dialError) Error() string   { return e.err.Error() }
func (e *dialError) Unwrap() []error { return []error{e.err} }

// stillborn stands for a connection that could not be made.
type stillborn struct{ err error }

func (s stillborn) Read([]byte) (int, error)              { return 0, s.err }
func (s stillborn) Write([]byte) (int, error)             { return 0, s.err }
func (s stillborn) SyscallConn() (syscall.RawConn, error) { return nil, s.err }
func (stillborn) Close() error                            { return nil }
func (stillborn) LocalAddr() net.Addr                     { return nowhere{} }
func (stillborn) RemoteAddr() net.Addr                    { return nowhere{} }
func (stillborn) SetDeadline(time.Time) error             { return nil }
func (stillborn) SetReadDeadline(time.Time) error         { return nil }
func (stillborn) SetWriteDeadline(time.Time) error        { return nil }

type nowhere struct{}

func (nowhere) Network() string { return "none" }
func (nowhere) String() string  { return "none" }
