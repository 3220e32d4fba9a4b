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
// silent, to fail one call each. So a connection that fails makes those to the same address outdated that are
// as old: the pool asks each for its state before it uses it.
type dialing struct {
	dial   dialFunc
	opened func(*link) // nil, or told of every connection
	closed func(*link)
	eras   sync.Map // address → *atomic.Uint64: how often connections to it have failed
}

func (d *dialing) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	v, ok := d.eras.Load(addr)
	if !ok {
		v, _ = d.eras.LoadOrStore(addr, new(atomic.Uint64))
	}
	era := v.(*atomic.Uint64)
	born := era.Load() // before it is dialled: a failure meanwhile may concern it
	c, err := d.dial(ctx, network, addr)
	if err != nil {
		return stillborn{&dialError{err}}, nil //nolint:nilerr // the connection has it
	}
	l := &link{Conn: c, dialing: d, era: era, born: born}
	if d.opened != nil {
		d.opened(l)
	}
	return l, nil
}

// link is a connection that was made.
type link struct {
	net.Conn
	dialing *dialing
	era     *atomic.Uint64
	born    uint64 // its era; outdated when there is another
}

// Read notes when the connection fails, or the server has been silent for long. A caller that has less time says
// nothing of the server.
func (l *link) Read(p []byte) (int, error) {
	begin := time.Now()
	n, err := l.Conn.Read(p)
	if err != nil && !errors.Is(err, net.ErrClosed) &&
		(!errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) >= silence) {
		l.era.CompareAndSwap(l.born, l.born+1)
	}
	return n, err
}

// Close closes the connection.
func (l *link) Close() error {
	if l.dialing.closed != nil {
		l.dialing.closed(l)
	}
	return l.Conn.Close()
}

var errOutdated = errors.New("another connection of its time has failed")

// SyscallConn is called by the pool, which looks whether the connection is still good before it uses it.
func (l *link) SyscallConn() (syscall.RawConn, error) {
	if l.era.Load() != l.born {
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
