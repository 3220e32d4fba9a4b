package file

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/backendtest"
)

// looksOnly returns a client that nothing wakes: it sees what happens elsewhere only when it looks, as on a system without
// file events, with no descriptor left for a watch, and with every message lost.
func looksOnly(t testing.TB, dir string) *Backend {
	t.Helper()
	b := open(t, dir)
	b.watcher.blind.Store(true)
	b.timing.net, b.timing.linger = 5*time.Millisecond, 5*time.Millisecond
	return b
}

// TestContractByLooksAlone runs every clause with clients that nothing wakes: events make them quick, not right.
func TestContractByLooksAlone(t *testing.T) {
	backendtest.Run(t, func(t testing.TB) backendtest.Env {
		dir := t.TempDir() + "/locks"
		return backendtest.Env{
			Open: func(t testing.TB) backends.Backend {
				b := looksOnly(t, dir)
				b.timing.net *= 4 // a clause uses hundreds of names, each of which looks
				return b
			},
			Rounds: 20,
		}
	})
}

func TestDeathsAreFoundByLooking(t *testing.T) {
	for what, r := range map[string][2]backends.Request{
		"mutex": {mutex("db"), mutex("db")}, "writer": {writer("db"), reader("db")}, "reader": {reader("db"), writer("db")},
		"semaphore": {permits("db", 2, 3), permits("db", 3, 3)},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			holder, waiter, b := startClient(t, dir), startClient(t, dir), looksOnly(t, dir)
			g := mustAcquire(t, holder, r[0])
			enqueue(t, waiter, r[1])
			w := enqueue(t, b, r[1])
			mustBeBusy(t, b, r[1])
			waiter.p.Kill()
			holder.p.Kill()
			h := w.granted()
			if h.Token <= g.Token {
				t.Errorf("token %d after %d", h.Token, g.Token)
			}
			mustRelease(t, b, h)
		})
	}
}

// Processes that nothing wakes take turns, in the order in which they came.
func TestOrderByLooksAlone(t *testing.T) {
	dir := t.TempDir() + "/locks"
	var clients []*Backend
	for range 4 {
		clients = append(clients, looksOnly(t, dir))
	}
	g := mustAcquire(t, clients[0], mutex("db"))
	var queue []*waiterOf
	for i := range 12 {
		queue = append(queue, enqueue(t, clients[i%4], mutex("db")))
	}
	mustRelease(t, clients[0], g)
	for i, w := range queue {
		next := w.granted()
		if next.Token <= g.Token {
			t.Errorf("token %d after %d: number %d of the queue was overtaken", next.Token, g.Token, i)
		}
		g = next
		mustRelease(t, clients[i%4], g)
	}
}
