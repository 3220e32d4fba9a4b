package manager

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestNameThatIsKeptOutlivesAnAllThatIsCancelledBeforeItsOperation(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		mustRelease(t, mustAcquire(t, m.Lock("a"))) // kept
		b := mustAcquire(t, m.Lock("b"))
		_, err := m.All(m.Lock("a"), m.Lock("b")).TryAcquire(t.Context())
		wantErr(t, err, ErrBusy)
		a := start(m.Lock("a"))
		defer a.cancel(nil)
		if a.waiting() {
			t.Error("a is not held, and its acquire waits")
		} else {
			mustRelease(t, a.lease)
		}
		mustRelease(t, b)
	}, WithIdleHold(time.Second))
}

// The first process keeps a, and its All stands behind a claim to b. The All of the other process has
// b and waits for a, and the claim waits for that.
func TestAllThatWaitsForItsOwnProcessKeepsNoNameFromOthers(t *testing.T) {
	opts := []Option{WithIdleHold(time.Second), WithLocalHandoffs(1, time.Millisecond)}
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		m, other := newManager(t, store, opts...), newManager(t, store.Peer(), opts...)
		mustRelease(t, mustAcquire(t, m.Lock("a"))) // kept
		first := mustAcquire(t, m.Lock("b"))
		second := start(m.Lock("b"))
		all := start(m.All(m.Lock("a"), m.Lock("b")))
		others := start(other.All(other.Lock("a"), other.Lock("b")))
		time.Sleep(2 * time.Millisecond)
		mustRelease(t, first) // no hand-off, for its time is over
		if others.waiting() {
			t.Error("m keeps a, and the All of the other process waits for it")
			others.cancel(nil)
		} else {
			mustRelease(t, others.granted(t))
		}
		mustRelease(t, second.granted(t))
		mustRelease(t, all.granted(t))
	})
}
