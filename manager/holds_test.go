package manager

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// A waiter lists what its owner holds while it waits: who waits for whom can be drawn from that.
func TestStatsTellWhatTheOwnerOfAWaiterHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		m, other := newManager(t, store), newManager(t, store)
		ctx := t.Context()
		want, all := mustAcquire(t, m.Lock("want")), mustAcquire(t, other.Lock("all 2"))
		outer := mustAcquire(t, m.Lock("outer"))
		inner := acquireUnder(t, outer.Context(), m.Lock("inner"))
		ended := acquireUnder(t, inner.Context(), m.Lock("ended"))
		mustRelease(t, ended)
		two := mustAcquire(t, m.All(m.Lock("part 1"), m.Lock("part 2")))
		wait := func(ctx context.Context, c Claim) {
			nested, stop := context.WithCancel(ctx)
			context.AfterFunc(t.Context(), stop)
			go func() {
				if l, err := c.Acquire(nested); err == nil {
					_ = l.Release()
				}
			}()
			synctest.Wait()
		}
		wait(ctx, m.Lock("want"))
		wait(context.WithoutCancel(ended.Context()), m.Lock("want"))
		wait(inner.Context(), m.Lock("want"))
		wait(two.Context(), m.Lock("want"))
		wait(ctx, m.All(m.Lock("all 1"), m.Lock("all 2")))
		holds := map[string][][]string{}
		for _, r := range m.Stats().Resources {
			for _, w := range r.Waiters {
				slices.Sort(w.Holds)
				holds[r.Name] = append(holds[r.Name], w.Holds)
			}
		}
		for name, want := range map[string][][]string{
			"want":  {nil, {"inner", "outer"}, {"inner", "outer"}, {"part 1", "part 2"}},
			"all 2": {{"all 1"}},
		} {
			if !slices.EqualFunc(holds[name], want, slices.Equal) {
				t.Errorf("%s: waiters hold %q, want %q", name, holds[name], want)
			}
		}
		mustRelease(t, want, all, inner, outer, two)
		synctest.Wait()
	})
}
