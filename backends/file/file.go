package file

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// Backend is one client of a lock directory. Make it with [New]; the methods of the zero value panic. It is safe for
// concurrent use. Two Backends of one process over one directory are two clients, as if they were two processes.
//
// A grant happens after the release that made room for it. Where the two are of different Backends of one process, the
// race detector cannot see that: what stands between them are system calls.
type Backend struct {
	id      uint64
	dir     *lockdir.Dir
	inbox   atomic.Pointer[lockdir.FileID] // the last one made
	sync    bool                           // flush tokens to the disk before a grant
	slow    bool                           // the file system may make a call wait: nothing is done in the turns of other actors
	started time.Time                      // when this process began, for people
	timing  timing

	// resources maps stems to live resources. It is a concurrent map and not an actor's because finding a resource would
	// otherwise cost every call a message; it is only an index: a resource says by itself, in a turn of its
	// own actor, when it has retired, and takes itself out.
	resources sync.Map // string → *resource
	lingering atomic.Int64
	seq       atomic.Uint64

	operations sync.Pool // of *operation, each over and without requests

	watcher *watcher
	closing atomic.Bool   // set before the watcher begins to close
	closed  chan struct{} // closed when nothing is left
}

// timing is how long things last that are not events. Tests stretch it to see that nothing hangs on it.
type timing struct {
	linger time.Duration // files of an unused name stay open for at least this long
	net    time.Duration // a look at the table in case a wake-up was lost
	retry  time.Duration // the first look at a kernel lock that should be free soon; doubles
	coarse time.Duration // a change this long after another one bears another time, on every file system with a teller
}

const (
	mostLingering = 64 // unused names whose files stay open for a while
	retries       = 7  // looks at a kernel lock after an event, before only events and the net are left
)

var _ backends.Backend = (*Backend)(nil)

var capabilities = backends.Capabilities{Name: "file", CrossProcess: true, DurableToken: true, Break: true, NamesHolder: true, AtLeast: true}

// New returns a client of the lock directory dir, which it creates (mode 0700) if it is missing; its parents as well.
//
// It fails with an error that wraps [backends.ErrPermission] if the directory may not be used or
// others could tamper with it (see the package comment), [backends.ErrUnavailable] if the file
// system refuses, and [backends.ErrUnsupported] on a file system or an operating system that cannot
// do it. An empty dir or a nil option is a [*backends.InvalidError]. After an error, nothing is
// left but perhaps the empty directory.
//
// Close the Backend when it is not needed any more. A process that ends without Close loses
// nothing: the kernel tells the others.
func New(dir string, opts ...Option) (*Backend, error) {
	var o options
	for _, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("file: %w", &backends.InvalidError{Field: "option", Value: opt, Want: "one made by a With function"})
		}
		opt.apply(&o)
	}
	if dir == "" {
		return nil, fmt.Errorf("file: %w", &backends.InvalidError{Field: "directory", Value: dir, Want: "a path"})
	}
	path, err := filepath.Abs(dir) // the process may change its directory
	if err != nil {
		return nil, lockdir.StoreError("locate", dir, err)
	}
	d, err := lockdir.OpenStore(path, o.anyFileSystem)
	if err != nil {
		return nil, err
	}
	b := &Backend{
		id: rand.Uint64() | 1, dir: d, sync: o.sync, slow: o.sync || o.anyFileSystem, started: lockdir.ProcessStart(),
		timing: timing{linger: 100 * time.Millisecond, net: lockdir.SafetyNet, retry: time.Millisecond, coarse: 2 * time.Second},
		closed: make(chan struct{}),
	}
	inbox, id, err := d.CreateInbox(b.id)
	if err != nil {
		d.Close()
		return nil, lockdir.StoreError("create the inbox in", path, err)
	}
	b.inbox.Store(&id)
	d.SweepClients()
	d.CloseIdle = b.closeIdle
	b.watcher = newWatcher(b, inbox)
	return b, nil
}

// Capabilities tells what the store can do.
func (b *Backend) Capabilities() backends.Capabilities { return capabilities }

// made panics if b is the zero value.
func (b *Backend) made() {
	if b.dir == nil {
		panic("file: use of a zero Backend: make it with New")
	}
}

// live returns the live resource with that stem, or nil.
func (b *Backend) live(stem string) *resource {
	r, _ := b.resources.Load(stem)
	res, _ := r.(*resource)
	return res
}

// resource returns the live resource of that name, which it makes if there is none.
func (b *Backend) resource(name, stem string) *resource {
	if r := b.live(stem); r != nil {
		return r
	}
	r, _ := b.resources.LoadOrStore(stem, newResource(b, name, stem))
	return r.(*resource)
}

// Close ends the client: its waiting requests fail with [backends.ErrClosed], its grants are released, its files are
// closed. When ctx ends first, Close returns its error and closing goes on; that can happen only when
// another process was stopped in the middle of changing a table. Files of names stay in the directory.
func (b *Backend) Close(ctx context.Context) error {
	b.made()
	if err := backends.CheckContext(ctx); err != nil {
		return wrap("close", "", err)
	}
	if b.closing.CompareAndSwap(false, true) {
		b.watcher.actor.Tell(news{verb: closeAll})
	}
	select { // if both are ready either answer is true: it is closed, or ctx has ended and closing goes on
	case <-b.closed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("file: close: %w", backends.Ended(ctx))
	}
}

// wrap says which call failed.
func wrap(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	return &backends.OpError{Store: capabilities.Name, Op: verb, Name: name, Err: err}
}
