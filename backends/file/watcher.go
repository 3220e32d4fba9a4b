package file

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// watcher is the actor of a Backend that hears what happens outside: messages in the inbox, ends of other processes, file
// events; and tells the resources concerned.
//
// Owns: the inbox, watches, the order of closing.
// Takes: news.
// States: open; closing, from closeAll until all resources have shut; ending, until all its tasks have ended; ended.
//
// It runs one task that reads the inbox, one for each process it watches, and, once something was in use for
// longer than a moment, one that reads file events. All end with the files they read.
type watcher struct {
	b         *Backend
	actor     *actor.OnDemand[news]
	inbox     io.ReadCloser
	peers     map[uint64]*peer
	events    *fileEvents         // nil: none
	locks     map[int32]*resource // by the watch of the lock file whose uses are reported
	reporting atomic.Bool         // removals of files are reported
	tried     bool                // to open events
	blind     atomic.Bool         // in tests: no messages, watches and file events, so that only looks are left

	tasks   int // running
	open    int // resources that have not shut yet
	closing bool
	ending  bool
}

// peer is another client whose end somebody wants to know of.
type peer struct {
	file  *os.File
	wants []*resource
}

type newsVerb uint8

const (
	watchClient  newsVerb = iota + 1 // client, resource
	forgetClient                     // client, resource
	clientEnded                      // client; its task has ended
	watchLock                        // resource
	forgetLock                       // resource
	newInbox                         // inbox, in place of the removed one
	report                           // have removals of files reported
	fileEvent                        // watch, mask, name
	taskEnded                        // the reader of inbox or events
	closeAll
	resourceShut
)

// news is what the watcher takes.
type news struct {
	verb     newsVerb
	client   uint64
	resource *resource
	peer     *peer
	inbox    io.ReadCloser
	watch    int32
	mask     uint32
	name     string
}

func newWatcher(b *Backend, inbox io.ReadCloser) *watcher {
	w := &watcher{b: b, inbox: inbox, peers: make(map[uint64]*peer), locks: make(map[int32]*resource)}
	w.actor = actor.NewOnDemand("lockkeeper/file watcher", w.receive, func(_ news, p *actor.PanicError) { panic(p) })
	w.tasks++
	w.actor.Go(func() news { w.readInbox(inbox); return news{verb: taskEnded} })
	return w
}

func (w *watcher) receive(n news) {
	switch n.verb {
	case watchClient:
		w.watchClient(n.client, n.resource)
	case forgetClient:
		w.forgetClient(n.client, n.resource)
	case clientEnded:
		w.tasks--
		w.clientEnded(n.client, n.peer)
	case watchLock:
		w.watchLock(n.resource)
	case forgetLock:
		w.forgetLock(n.resource)
	case newInbox:
		w.changeInbox(n.inbox)
	case report:
		w.openEvents()
	case fileEvent:
		w.event(n.watch, n.mask, n.name)
	case taskEnded:
		w.tasks--
	case closeAll:
		w.closeAll()
	case resourceShut:
		w.open--
	}
	if w.closing && w.open == 0 {
		w.end()
	}
}

// readInbox passes messages on until the inbox is closed. A message is the stem of a name.
func (w *watcher) readInbox(inbox io.Reader) {
	// A sender that finds no room for its message drops it. Then there is at least this much in the FIFO, also in one of a
	// single page, and whoever reads that much looks at everything.
	const much = 2048
	buf := make([]byte, 1<<16)
	kept := 0 // bytes of a message that did not fit in
	for {
		n, err := inbox.Read(buf[kept:])
		if err != nil {
			return
		}
		if w.blind.Load() {
			continue
		}
		data := buf[:kept+n]
		end := bytes.LastIndexByte(data, '\n') + 1
		if n >= much {
			w.b.tellAll(message{verb: look})
		} else {
			w.deliver(string(data[:end]))
		}
		kept = copy(buf, data[end:])
		if kept == len(buf) {
			kept = 0 // no message is that long: not from one of us
		}
	}
}

// changeInbox reads from a new inbox from now on. Messages left in the old one are not read; all
// resources check their state instead.
func (w *watcher) changeInbox(inbox io.ReadCloser) {
	_ = w.inbox.Close() // ends its task
	w.inbox = inbox
	w.tasks++
	w.actor.Go(func() news { w.readInbox(inbox); return news{verb: taskEnded} })
	w.watchInboxes()
	w.b.tellAll(message{verb: verify})
}

func (w *watcher) deliver(lines string) {
	stems := strings.FieldsFunc(lines, func(r rune) bool { return r == '\n' })
	slices.Sort(stems)
	stems = slices.Compact(stems)
	for _, s := range stems {
		m := message{verb: look}
		switch r := w.b.live(s); {
		case r == nil: // its use has ended since
		case len(stems) == 1:
			r.actor.Deliver(m) // on this goroutine: the shortest way to whoever waits
		default:
			r.actor.Tell(m)
		}
	}
}

func (b *Backend) tellAll(m message) (told int) {
	for _, r := range b.resources.Range {
		told++
		r.(*resource).actor.Tell(m)
	}
	return told
}

func (w *watcher) watchClient(client uint64, r *resource) {
	if w.blind.Load() {
		return
	}
	p := w.peers[client]
	if p == nil {
		f, err := w.b.dir.OpenWatch(client)
		switch {
		case err == lockdir.ErrDead: //nolint:errorlint // ours, unwrapped
			r.actor.Tell(message{verb: died, client: client})
			return
		case err != nil:
			return // no descriptor is left, or there are no watches here: the resource looks by itself, see buryWatched
		}
		p = &peer{file: f}
		w.peers[client] = p
		w.tasks++
		w.actor.Go(func() news {
			lockdir.AwaitEnd(p.file)
			return news{verb: clientEnded, client: client, peer: p}
		})
	}
	p.wants = append(p.wants, r)
}

func (w *watcher) forgetClient(client uint64, r *resource) {
	p := w.peers[client]
	if p == nil {
		return
	}
	if i := slices.Index(p.wants, r); i >= 0 {
		p.wants = slices.Delete(p.wants, i, i+1)
	}
	if len(p.wants) == 0 {
		delete(w.peers, client)
		_ = p.file.Close() // ends the task
	}
}

func (w *watcher) clientEnded(client uint64, p *peer) {
	if w.peers[client] != p {
		return // forgotten meanwhile
	}
	delete(w.peers, client)
	_ = p.file.Close()
	for _, r := range p.wants {
		r.actor.Tell(message{verb: died, client: client})
	}
}

func (w *watcher) closeAll() {
	w.closing = true
	// Whoever finds its resource after this is refused: closing was set before.
	w.open += w.b.tellAll(message{verb: shut})
}

// end closes what is left when all resources have shut, and waits for the tasks.
func (w *watcher) end() {
	if !w.ending {
		w.ending = true
		_ = w.inbox.Close()
		w.b.dir.RemoveInbox(w.b.id)
		for client, p := range w.peers {
			delete(w.peers, client)
			_ = p.file.Close()
		}
		w.events.close()
	}
	if w.tasks == 0 {
		w.b.dir.Close()
		close(w.b.closed)
		w.tasks = -1 // ended: nobody comes any more but late forgets
	}
}
