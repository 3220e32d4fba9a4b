//go:build unix

package file

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// lossesOfInbox are the ways in which clients lose their inboxes.
var lossesOfInbox = map[string]func(dir string, clients ...*Backend) error{
	"each removed": func(dir string, clients ...*Backend) (err error) {
		for _, b := range clients {
			err = errors.Join(err, os.Remove(dir+"/"+b.dir.InboxOf(b.id)))
		}
		return err
	},
	"folder removed": func(dir string, _ ...*Backend) error { return os.RemoveAll(dir + "/" + lockdir.ClientsName) },
	"folder moved":   func(dir string, _ ...*Backend) error { return os.Rename(dir+"/"+lockdir.ClientsName, dir+"/x") },
	"folder replaced": func(dir string, _ ...*Backend) error {
		return errors.Join(os.Rename(dir+"/"+lockdir.ClientsName, dir+"/x"), os.Mkdir(dir+"/"+lockdir.ClientsName, 0o700))
	},
}

// A client whose inbox is removed makes a new one at its next look, and keeps every grant that no
// other client has taken meanwhile.
func TestARemovedInboxIsMended(t *testing.T) {
	for what, remove := range lossesOfInbox {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			a, b := open(t, dir), open(t, dir)
			m, lostMutex := watched(mutex("db"))
			g := mustAcquire(t, a, m)
			s, lostPermit := watched(permits("permits", 1, 1))
			p := mustAcquire(t, a, s)
			if err := remove(dir, a); err != nil {
				t.Fatal(err)
			}
			untilMended(t, a)
			mustBeBusy(t, b, mutex("db"))
			mustBeBusy(t, b, permits("permits", 1, 1))
			v, w := enqueue(t, b, mutex("db")), enqueue(t, b, permits("permits", 1, 1))
			if err := os.Remove(dir + "/" + b.dir.InboxOf(b.id)); err != nil {
				t.Fatal(err)
			}
			untilMended(t, b)
			mustRelease(t, a, g)
			mustRelease(t, a, p)
			mustRelease(t, b, v.granted())
			mustRelease(t, b, w.granted())
			if len(lostMutex)+len(lostPermit) > 0 {
				t.Error("a grant was lost")
			}
		})
	}
}

// untilMended waits until the client has an inbox again.
func untilMended(t *testing.T, b *Backend) {
	t.Helper()
	for c := patient(t); !hasInbox(b); runtime.Gosched() {
		if c.Err() != nil {
			t.Fatal("the inbox is not mended")
		}
	}
}

// hasInbox reports whether others find the client alive.
func hasInbox(b *Backend) bool {
	return b.dir.Holds(b.dir.InboxOf(b.id), *b.inbox.Load()) == nil && !b.dir.Dead(b.id)
}

// A newcomer that comes before the holder has a new inbox takes the permit, and the holder is told.
// A waiter is granted only after it has made a new inbox, so no client then takes it for dead.
func TestWithoutAnInboxNobodyIsGrantedAPermit(t *testing.T) {
	for what, remove := range lossesOfInbox {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			a, b := sleepless(t, dir), sleepless(t, dir)
			for _, c := range []*Backend{a, b} { // have them not look by themselves
				c.timing.linger = time.Hour
				c.watcher.blind.Store(true)
			}
			s, lost := watched(permits("db", 1, 1))
			p := mustAcquire(t, a, s)
			w := enqueue(t, b, permits("db", 1, 1))
			if err := remove(dir, a, b); err != nil {
				t.Fatal(err)
			}
			newcomer := sleepless(t, dir)
			h := mustAcquire(t, newcomer, permits("db", 1, 1)) // takes both for dead
			b.watcher.blind.Store(false)
			b.tellAll(message{verb: look}) // b finds its line gone, and queues again
			if s, err := b.Inspect(patient(t), "db"); err != nil || len(s.Holders) != 1 || s.Holders[0].ID != h.ID || len(s.Waiters) != 1 {
				t.Errorf("%+v, %v; want the newcomer to hold, and one waiter", s, err)
			}
			if !hasInbox(b) {
				t.Error("the waiter has no inbox after a look")
			}
			mustBeBusy(t, sleepless(t, dir), permits("db", 1, 1))
			a.tellAll(message{verb: verify})
			lost.expect(t, p, backends.BackendLost)
			mustRelease(t, newcomer, h)
			next := w.granted()
			if next.Token <= h.Token {
				t.Errorf("token %d after %d", next.Token, h.Token)
			}
			mustBeBusy(t, newcomer, permits("db", 1, 1)) // finds every client alive again
			mustRelease(t, b, next)
			mustRelease(t, a, mustAcquire(t, a, permits("db", 1, 1)))
		})
	}
}

// A client that cannot make an inbox loses its permits and gets no more. It keeps the kernel's
// locks.
func TestAnInboxThatCannotBeMended(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	g := mustAcquire(t, a, mutex("db"))
	s, lost := watched(permits("permits", 1, 1))
	p := mustAcquire(t, a, s)
	if err := errors.Join(os.RemoveAll(dir+"/"+lockdir.ClientsName), os.WriteFile(dir+"/"+lockdir.ClientsName, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	a.tellAll(message{verb: verify})
	lost.expect(t, p, backends.BackendLost)
	for _, c := range []*Backend{a, b} {
		if _, err := backends.TryAcquire(patient(t), c, permits("permits", 1, 1)); !errors.Is(err, backends.ErrPermission) {
			t.Errorf("TryAcquire without an inbox: %v; want ErrPermission", err)
		}
		mustBeBusy(t, b, mutex("db"))
	}
	if err := os.Remove(dir + "/" + lockdir.ClientsName); err != nil {
		t.Fatal(err)
	}
	mustRelease(t, a, g)
	mustRelease(t, b, mustAcquire(t, b, permits("permits", 1, 1)))
	mustRelease(t, a, mustAcquire(t, a, permits("permits", 1, 1)))
}
