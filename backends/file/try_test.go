package file

import (
	"context"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// A cancel may come between the steps of a turn. A try keeps no place then, which would be written
// without a line and make others take the table for damaged.
func TestTryThatIsCancelledInItsTurnLeavesNoPlace(t *testing.T) {
	dir := t.TempDir()
	b, other := open(t, dir), open(t, dir)
	held := mustAcquire(t, other, mutex("a"))
	mustAcquire(t, b, mutex("b")) // b is in use, and its table open
	if g, err := backends.TryAcquire(patient(t), b, mutex("a")); err == nil {
		t.Fatalf("got %v", g)
	}
	r := b.live(lockdir.Stem("a"))
	o := b.newOperation(&backends.Op{Acquire: []backends.Request{mutex("a")}, Granted: func(int, backends.Grant, error) {}})
	o.plan()
	if ok, err := r.lockTable(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := r.load(); err != nil {
		t.Fatal(err)
	}
	r.admit(&o.parts[0])
	err := context.Canceled
	o.cancelled.Store(&err)
	o.decide(r.alone[:])
	if n := len(r.tab.Waiters); n != 0 || len(r.parts) != 0 || r.waiters != 0 {
		t.Errorf("%d places are left, %d requests", n, len(r.parts))
	}
	if len(r.turn.refused) != 1 || r.turn.refused[0].err == nil {
		t.Error("the try is not told")
	}
	r.turn.reset()
	r.unlockTable()
	mustRelease(t, other, held)
}
