package primitives

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// entries counts the keys that cost something.
func entries(m *keys) int {
	n := 0
	m.live.Range(func(any, any) bool { n++; return true })
	return n
}

func TestKeysAreLockedOnTheirOwn(t *testing.T) {
	var m KeyedMutex[string]
	if err := m.Lock(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if m.TryLock("a") {
		t.Error("one key is locked twice")
	}
	if !m.TryLock("b") {
		t.Error("one key keeps another from being locked")
	}
	if n := entries(&m.keys); n != 2 {
		t.Errorf("there are %d entries for two locked keys", n)
	}
	m.Unlock("a")
	m.Unlock("b")
	if n := entries(&m.keys); n != 0 {
		t.Errorf("%d entries are left of idle keys", n)
	}
}

func TestAKeyIsGrantedInTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m KeyedMutex[int]
		_ = m.Lock(t.Context(), 7)
		var order []int
		for i := range 10 {
			go func() {
				_ = m.Lock(t.Context(), 7)
				order = append(order, i)
				m.Unlock(7)
			}()
			synctest.Wait()
		}
		m.Unlock(7)
		synctest.Wait()
		for i, who := range order {
			if i != who {
				t.Fatalf("granted in the order %v", order)
			}
		}
		if n := entries(&m.keys); len(order) != 10 || n != 0 {
			t.Errorf("%d were granted, %d entries are left", len(order), n)
		}
	})
}

// Keys come and go all the time, so that entries are made, removed and found dead at once.
func TestEveryKeyExcludes(t *testing.T) {
	const keys = 2
	var m KeyedMutex[string]
	names := [keys]string{"db", "cache"}
	var counts, want [keys]int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var did [keys]int
			for i := range rounds(800_000) / 8 {
				k := rand.IntN(keys)
				if i%4 == 0 {
					if !m.TryLock(names[k]) {
						continue
					}
				} else if m.Lock(t.Context(), names[k]) != nil {
					continue
				}
				n := counts[k]
				if i%8 == 0 {
					runtime.Gosched() // so that somebody who has another entry for k meets this one
				}
				counts[k] = n + 1
				did[k]++
				m.Unlock(names[k])
			}
			mu.Lock()
			defer mu.Unlock()
			for k, n := range did {
				want[k] += n
			}
		})
	}
	wg.Wait()
	if counts != want {
		t.Errorf("counted %v, want %v", counts, want)
	}
	if n := entries(&m.keys); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func TestAMillionKeysLeaveNothing(t *testing.T) {
	n := rounds(1_000_000)
	var m KeyedMutex[int]
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	for i := range n {
		_ = m.Lock(t.Context(), i)
	}
	for i := range n {
		m.Unlock(i)
	}
	if left := entries(&m.keys); left != 0 {
		t.Errorf("%d entries are left of %d", left, n)
	}
	if after := heap(); after > before+uint64(n)/4+1<<20 {
		t.Errorf("%d keys left %d bytes behind", n, after-before)
	}
	runtime.KeepAlive(&m)
}

func TestCancelledLocksOfAKeyLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	var m KeyedMutex[string]
	_ = m.Lock(t.Context(), "key")
	ctx, cancel := context.WithCancelCause(context.Background())
	n := rounds(100_000)
	waiting := results(n, func() error { return m.Lock(ctx, "key") })
	v, _ := m.live.Load("key")
	for v.(*keyed).users.Load() != int64(n+1) {
		runtime.Gosched()
	}
	cancel(errShift)
	for range n {
		if err := <-waiting; !errors.Is(err, context.Canceled) || !errors.Is(err, errShift) {
			t.Fatalf("Lock: %v", err)
		}
	}
	if users := v.(*keyed).users.Load(); users != 1 {
		t.Errorf("%d are counted as users, want the holder alone", users)
	}
	m.Unlock("key")
	if n := entries(&m.keys); n != 0 {
		t.Errorf("%d entries are left", n)
	}
	for runtime.NumGoroutine() > before {
		runtime.Gosched() // hangs if one is left
	}
}

func TestALockOfAKeyThatCannotBeginLeavesNothing(t *testing.T) {
	var m KeyedMutex[string]
	if err := m.Lock(done(), "key"); !errors.Is(err, errShift) {
		t.Errorf("with a done context: %v", err)
	}
	if err := m.Lock(nil, "key"); err == nil { //nolint:staticcheck // what is tested
		t.Error("with a nil context it is locked")
	}
	if n := entries(&m.keys); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func TestMisuseOfAKeyedMutexPanicsAndChangesNothing(t *testing.T) {
	var m KeyedMutex[any]
	unlock := func() { m.Unlock("key") }
	if got := panics(unlock); !strings.Contains(got, "Unlock of unlocked key") {
		t.Errorf("Unlock panics with %q", got)
	}
	for _, key := range []any{math.NaN(), [1]float64{math.NaN()}} {
		if got := panics(func() { _ = m.Lock(t.Context(), key) }); !strings.Contains(got, "does not equal itself") {
			t.Errorf("Lock(%v) panics with %q", key, got)
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a key that cannot be compared is accepted")
			}
		}()
		m.TryLock([]int{1})
	}()
	_ = m.Lock(t.Context(), "key")
	m.Unlock("key")
	if got := panics(unlock); !strings.Contains(got, "Unlock of unlocked key") {
		t.Errorf("the second Unlock panics with %q", got)
	}
	if n := entries(&m.keys); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}
