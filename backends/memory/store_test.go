package memory_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestTokensIncreaseWhileTheClockStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // here time passes only while everybody waits
		b := memory.New()
		last := uint64(0)
		for i := range 100 {
			r := mutex("db")
			r.Tokens = 1 + i
			g := try(t, b, r)
			if g.Token <= last {
				t.Fatalf("token %d after %d", g.Token, last)
			}
			last = g.Token + uint64(g.Tokens) - 1
			release(t, b, g)                      // the name is forgotten
			release(t, b, try(t, b, mutex("it"))) // and another one used in its place
		}
		time.Sleep(time.Second) // of the bubble's time
		if g := try(t, b, mutex("db")); g.Token < uint64(time.Now().UnixMicro()) {
			t.Errorf("token %d is behind the clock", g.Token)
		}
	})
}

func TestPanicFailsEverybody(t *testing.T) {
	b := memory.New()
	r := mutex("db")
	r.Notify = func(backends.Event) { panic("a bad callback") }
	g := try(t, b, r)
	_, err := backends.Acquire(t.Context(), b.Peer(), mutex("db")) // has the holder told
	var panicked *actor.PanicError
	if !errors.Is(err, backends.ErrUnavailable) || !errors.As(err, &panicked) || panicked.Value != "a bad callback" {
		t.Errorf("Acquire: %v; want ErrUnavailable and the panic", err)
	}
	for what, err := range map[string]error{
		"Release":    backends.Release(t.Context(), b, g),
		"Break":      b.Break(t.Context(), "db"),
		"TryAcquire": second(backends.TryAcquire(t.Context(), b, mutex("other"))),
		"Acquire":    second(backends.Acquire(t.Context(), b.Peer(), mutex("db"))),
		"Inspect":    second(b.Inspect(t.Context(), "db")),
		"Renew":      b.Renew(t.Context(), []backends.Renewal{{Grant: g}})[0].Err,
	} {
		if !errors.Is(err, backends.ErrUnavailable) {
			t.Errorf("%s afterwards: %v; want ErrUnavailable", what, err)
		}
	}
}

func TestPanicFailsThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New()
		bad := false
		r := mutex("db")
		r.Notify = func(backends.Event) {
			if bad {
				panic("a bad callback")
			}
		}
		try(t, b, r)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if _, err := backends.Acquire(context.Background(), b.Peer(), mutex("db")); !errors.Is(err, backends.ErrUnavailable) {
					t.Errorf("a waiting Acquire: %v; want ErrUnavailable", err)
				}
			})
		}
		synctest.Wait() // all wait
		bad = true
		_ = b.Break(context.Background(), "db")
		all.Wait()
	})
}

func second[T any](_ T, err error) error { return err }

// Actors start operations in their turns, and the store calls them back, perhaps in the same turn:
// no goroutine waits for ever.
func TestActorsMayStartOperationsInTheirTurns(t *testing.T) {
	const actors, rounds = 8, 2000
	store := memory.New()
	var finished sync.WaitGroup
	for i := range actors {
		b, left := store.Peer(), rounds
		var a *actor.OnDemand[*backends.Grant]
		op := &backends.Op{Wait: true, Released: func(_ int, err error) {
			if err != nil {
				t.Error(err)
			}
		}}
		op.Granted = func(_ int, g backends.Grant, err error) {
			if err != nil {
				t.Error(err)
			}
			a.Tell(&g)
		}
		finished.Add(1)
		a = actor.NewOnDemand(fmt.Sprint("keeper ", i), func(g *backends.Grant) {
			op.Release, op.Acquire = op.Release[:0], op.Acquire[:0]
			if g.Token != 0 {
				b.Renew(context.Background(), []backends.Renewal{{Grant: *g, Tokens: 1}})
				op.Release = append(op.Release, *g)
			}
			if left--; left < 0 {
				defer finished.Done()
			} else {
				op.Acquire = append(op.Acquire, mutex("db"+strconv.Itoa(left%3)))
			}
			b.Start(op)
		}, func(_ *backends.Grant, p *actor.PanicError) { t.Error(p) })
		a.Deliver(&backends.Grant{})
	}
	finished.Wait()
	for state, err := range store.List(t.Context()) {
		t.Errorf("left: %+v, %v", state, err)
	}
}

func heap() uint64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestManyNamesLeaveNothing(t *testing.T) {
	n := 200_000
	if testing.Short() || raceEnabled {
		n = 50_000
	}
	b := memory.New()
	before := heap()
	grants := make([]backends.Grant, n)
	for i := range n {
		grants[i] = try(t, b, mutex(strconv.Itoa(i)))
	}
	for _, g := range grants {
		release(t, b, g)
	}
	clear(grants)
	grants = nil
	for range b.List(t.Context()) {
		t.Fatal("a name is left")
	}
	if after := heap(); after > before+1<<20 {
		t.Errorf("%d bytes are left of %d names", after-before, n)
	}
	runtime.KeepAlive(b)
}

func TestPanicsOfSeveralCallbacksFailEverybody(t *testing.T) {
	b := memory.New()
	bad := backends.Request{
		Resource: backends.Resource{Name: "db", Kind: backends.Semaphore, Capacity: 3}, Weight: 1, Tokens: 1,
		Notify: func(backends.Event) { panic("a bad callback") },
	}
	for range 3 {
		try(t, b, bad)
	}
	all := bad
	all.Weight = 3
	_, err := backends.Acquire(t.Context(), b.Peer(), all) // has the holders told
	if !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("Acquire: %v; want ErrUnavailable", err)
	}
}
