package primitives

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestReadersShareAKeyAndAWriterHasItAlone(t *testing.T) {
	var m KeyedRWMutex[string]
	if err := m.RLock(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if !m.TryRLock("a") {
		t.Error("a second reader of the key is kept out")
	}
	if m.TryLock("a") {
		t.Error("a writer gets the key beside its readers")
	}
	if !m.TryLock("b") {
		t.Error("readers of one key keep a writer from another")
	}
	if m.TryRLock("b") {
		t.Error("a reader gets the key beside its writer")
	}
	if n := entries(&m.keys); n != 2 {
		t.Errorf("there are %d entries for two locked keys", n)
	}
	m.RUnlock("a")
	m.RUnlock("a")
	m.Unlock("b")
	if n := entries(&m.keys); n != 0 {
		t.Errorf("%d entries are left of idle keys", n)
	}
}

// Readers that come after a waiting writer wait behind it; those next to each other enter together.
func TestReadersAndWritersOfAKeyEnterInTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m KeyedRWMutex[int]
		var mu sync.Mutex
		var order []string
		leave := make(chan struct{})
		come := func(who string, lock func(context.Context, int) error, unlock func(int)) {
			go func() {
				if lock(t.Context(), 7) != nil {
					return
				}
				mu.Lock()
				order = append(order, who)
				mu.Unlock()
				<-leave
				unlock(7)
			}()
			synctest.Wait()
		}
		come("reader 1", m.RLock, m.RUnlock)
		come("writer", m.Lock, m.Unlock)
		come("reader 2", m.RLock, m.RUnlock)
		come("reader 3", m.RLock, m.RUnlock)
		for _, in := range []int{1, 2, 4} {
			synctest.Wait()
			if mu.Lock(); len(order) != in {
				t.Errorf("%q are in, want %d", order, in)
			}
			mu.Unlock()
			leave <- struct{}{}
		}
		leave <- struct{}{}
		synctest.Wait()
		slices.Sort(order[2:]) // the last two enter together
		if want := []string{"reader 1", "writer", "reader 2", "reader 3"}; !slices.Equal(order, want) {
			t.Errorf("they entered in the order %q, want %q", order, want)
		}
		if n := entries(&m.keys); n != 0 {
			t.Errorf("%d entries are left", n)
		}
	})
}

// Keys come and go all the time, so that entries are made, removed and found dead at once.
func TestWritersOfAKeyExcludeAllOthers(t *testing.T) {
	const keys = 2
	var m KeyedRWMutex[int]
	var reading, writing [keys]atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range rounds(400_000) / 8 {
				k := rand.IntN(keys)
				switch {
				case i%4 == 0:
					if m.Lock(t.Context(), k) != nil {
						continue
					}
					if writing[k].Add(1) != 1 || reading[k].Load() != 0 {
						t.Error("a writer is not alone")
					}
					runtime.Gosched() // so that a holder of another entry of k meets this one
					writing[k].Add(-1)
					m.Unlock(k)
				case i%4 == 1 && !m.TryRLock(k):
				case i%4 != 1 && m.RLock(t.Context(), k) != nil:
				default:
					reading[k].Add(1)
					if writing[k].Load() != 0 {
						t.Error("a reader is beside a writer")
					}
					reading[k].Add(-1)
					m.RUnlock(k)
				}
			}
		})
	}
	wg.Wait()
	if n := entries(&m.keys); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func TestManyReadKeysLeaveNothing(t *testing.T) {
	n := rounds(200_000)
	var m KeyedRWMutex[int]
	for i := range n {
		_ = m.RLock(t.Context(), i)
	}
	if have := entries(&m.keys); have != n {
		t.Errorf("there are %d entries for %d keys", have, n)
	}
	for i := range n {
		m.RUnlock(i)
	}
	if left := entries(&m.keys); left != 0 {
		t.Errorf("%d entries are left of %d", left, n)
	}
}

func TestCancelledReadersAndWritersOfAKeyLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	var m KeyedRWMutex[string]
	_ = m.Lock(t.Context(), "key")
	ctx, cancel := context.WithCancelCause(context.Background())
	n := rounds(20_000)
	readers := results(n, func() error { return m.RLock(ctx, "key") })
	writers := results(n, func() error { return m.Lock(ctx, "key") })
	e := m.find("key")
	for e.users.Load() != int64(2*n+1) {
		runtime.Gosched()
	}
	cancel(errShift)
	for range n {
		for _, err := range []error{<-readers, <-writers} {
			if !errors.Is(err, context.Canceled) || !errors.Is(err, errShift) {
				t.Fatalf("Lock: %v", err)
			}
		}
	}
	if users := e.users.Load(); users != 1 {
		t.Errorf("%d are counted as users, want the holder alone", users)
	}
	m.Unlock("key")
	if err := m.Lock(done(), "key"); !errors.Is(err, errShift) {
		t.Errorf("with a done context: %v", err)
	}
	if n := entries(&m.keys); n != 0 {
		t.Errorf("%d entries are left", n)
	}
	for runtime.NumGoroutine() > before {
		runtime.Gosched() // hangs if one is left
	}
}

func TestMisuseOfAKeyedRWMutexPanicsAndChangesNothing(t *testing.T) {
	var m KeyedRWMutex[string]
	misuse := func(when string, f func(string), want string) {
		t.Helper()
		if got := panics(func() { f("key") }); !strings.Contains(got, want) {
			t.Errorf("%s it panics with %q, want %q", when, got, want)
		}
	}
	misuse("not locked,", m.Unlock, "not locked for writing")
	misuse("not locked,", m.RUnlock, "not locked for reading")
	_ = m.RLock(t.Context(), "key")
	misuse("locked for reading,", m.Unlock, "not locked for writing")
	m.RUnlock("key")
	_ = m.Lock(t.Context(), "key")
	misuse("locked for writing,", m.RUnlock, "not locked for reading")
	if m.TryRLock("key") {
		t.Error("after the panic a reader gets in beside the writer")
	}
	m.Unlock("key")
	if n := entries(&m.keys); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}
