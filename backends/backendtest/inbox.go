package backendtest

import (
	"sync"

	"github.com/lockkeeper/lockkeeper/backends"
)

// inbox collects events, of any goroutine.
type inbox struct {
	mu     sync.Mutex
	events []backends.Event
	news   chan struct{}
}

func newInbox() *inbox { return &inbox{news: make(chan struct{}, 1)} }

func (in *inbox) notify(e backends.Event) {
	in.mu.Lock()
	in.events = append(in.events, e)
	in.mu.Unlock()
	select {
	case in.news <- struct{}{}:
	default:
	}
}

func (in *inbox) find(id backends.GrantID, t backends.EventType) (backends.Event, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, e := range in.events {
		if e.Grant == id && e.Type == t {
			return e, true
		}
	}
	return backends.Event{}, false
}

func (in *inbox) len() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.events)
}

// event waits for an event about the grant.
func (s *session) event(in *inbox, id backends.GrantID, t backends.EventType) backends.Event {
	s.Helper()
	for {
		if e, found := in.find(id, t); found {
			return e
		}
		select {
		case <-in.news:
		case <-s.ctx.Done():
			s.Fatalf("no event %q about the grant", t)
		}
	}
}

// listens waits until the client, which holds something, hears messages.
func (s *session) listens(b backends.Backend) {
	if s.env.Listens != nil {
		s.env.Listens(s.TB, b)
	}
}
