package manager

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAnswerOfAnEarlierRenewalDoesNotHideAWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f, WithIdleHold(time.Second))
		other := newManager(t, f.peer())
		a := mustAcquire(t, m.Lock("a"))
		f.set(nil, only("renew", slow(300*time.Millisecond)))
		for f.count("renew") == 0 {
			time.Sleep(100 * time.Millisecond)
		}
		w := start(other.Lock("a"))
		time.Sleep(500 * time.Millisecond)
		mustRelease(t, a)
		if w.waiting() {
			t.Error("a is kept although another process waits for it")
		}
		mustRelease(t, w.granted(t))
	})
}
