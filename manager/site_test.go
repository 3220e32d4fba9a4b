package manager

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// codeLine returns the file and line that is some lines after its call.
func codeLine(after int) string {
	_, file, n, _ := runtime.Caller(1)
	return fmt.Sprint(file, ":", n+after)
}

// The site is the line that calls, whichever way it acquires: Stats shows it of who holds and waits.
func TestASiteIsTheLineThatAcquires(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		ctx, db := t.Context(), m.Lock("db")
		must := func(l *Lease, err error) *Lease {
			wantErr(t, err, nil)
			return l
		}
		holds := func(what, want string) {
			t.Helper()
			if got := row(m, "db").Holders[0].Site; got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}
		want := codeLine(1)
		l := must(db.Acquire(ctx))
		holds("Acquire", want)

		ended := make(chan string)
		go func() {
			w := must(db.Acquire(ctx))
			mustRelease(t, w)
			ended <- codeLine(-2)
		}()
		synctest.Wait()
		w := start(db)
		waiters := row(m, "db").Waiters
		mustRelease(t, l)
		mustRelease(t, w.granted(t))
		if want := <-ended; waiters[0].Site != want || len(waiters) != 2 {
			t.Errorf("waiters %+v, want one at %s", waiters, want)
		}

		want = codeLine(1)
		l = must(db.TryAcquire(ctx))
		holds("TryAcquire", want)
		mustRelease(t, l)
		want = codeLine(1)
		_ = db.Do(ctx, func(context.Context) error {
			holds("Do", want)
			return nil
		})
		want = codeLine(1)
		_ = m.Lead(ctx, "db", func(context.Context, uint64) error {
			holds("Lead", want)
			return nil
		})
		want = codeLine(1)
		l = must(m.All(m.Lock("a"), db).Acquire(ctx))
		holds("All", want)
		mustRelease(t, l)
		acquire := db.Acquire // a method value
		want = codeLine(1)
		l = must(acquire(ctx))
		holds("a method value", want)
		mustRelease(t, l)
	}, WithSites())
}

func TestWithoutAWatcherThereAreNoSites(t *testing.T) {
	m := newManager(t, memory.New())
	l := mustAcquire(t, m.Lock("db"))
	if h := row(m, "db").Holders[0]; h.Site != "" || m.observer != nil || l.seen != nil {
		t.Errorf("recorded %+v", h)
	}
	mustRelease(t, l)
}
