package primitives

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestWritersExcludeAndReadersShare(t *testing.T) {
	const writer = 1_000_000 // so that any overlap shows as a number
	var m RWMutex
	var inside atomic.Int64
	var wg sync.WaitGroup
	each := rounds(100_000)
	for g := range 6 {
		wg.Go(func() {
			for i := range each {
				if (g+i)%5 == 0 {
					_ = m.Lock(t.Context())
					if n := inside.Add(writer); n != writer {
						t.Errorf("a writer is in with %d readers and %d writers", n%writer, n/writer-1)
					}
					inside.Add(-writer)
					if i%2 == 0 {
						m.Downgrade()
						if n := inside.Add(1); n >= writer {
							t.Error("a writer is in with one who downgraded")
						}
						inside.Add(-1)
						m.RUnlock()
					} else {
						m.Unlock()
					}
					continue
				}
				if i%3 != 0 || !m.TryRLock() {
					_ = m.RLock(t.Context())
				}
				if n := inside.Add(1); n >= writer {
					t.Error("a reader is in with a writer")
				}
				inside.Add(-1)
				m.RUnlock()
			}
		})
	}
	wg.Wait()
	atRest(t, &m.gate)
}

// visitors lets goroutines queue one after the other, and notes who is in.
type visitors struct {
	t  *testing.T
	m  RWMutex
	mu sync.Mutex
	in string
}

// note adds who to those who came in.
func (v *visitors) note(who string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.in += who
}

// came returns who came in since the last call, in alphabetical order, writers first: those
// who enter together come in any order.
func (v *visitors) came() string {
	synctest.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	in := []byte(v.in)
	v.in = ""
	slices.Sort(in)
	return string(in)
}

// queue starts a goroutine that locks, notes its name when it is in, and is then left holding.
func (v *visitors) queue(ctx context.Context, who string, lock func(context.Context) error) {
	go func() {
		if lock(ctx) == nil {
			v.note(who)
		}
	}()
	synctest.Wait()
}

func (v *visitors) want(came, because string) {
	v.t.Helper()
	if got := v.came(); got != came {
		v.t.Errorf("%q came in, want %q: %s", got, came, because)
	}
}

func TestReadersAndWritersEnterInTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &visitors{t: t}
		ctx := t.Context()
		v.queue(ctx, "a", v.m.RLock)
		v.queue(ctx, "b", v.m.RLock)
		v.want("ab", "readers share")
		v.queue(ctx, "W", v.m.Lock)
		v.queue(ctx, "c", v.m.RLock)
		v.queue(ctx, "d", v.m.RLock)
		v.queue(ctx, "X", v.m.Lock)
		v.queue(ctx, "e", v.m.RLock)
		v.want("", "a waiting writer stops later readers")
		if v.m.TryRLock() {
			t.Error("TryRLock overtook a writer")
		}
		v.m.RUnlock()
		v.want("", "one reader is still in")
		v.m.RUnlock()
		v.want("W", "the first writer is first")
		v.m.Unlock()
		v.want("cd", "consecutive readers enter together, and no others")
		v.m.RUnlock()
		v.m.RUnlock()
		v.want("X", "then the second writer")
		v.m.Unlock()
		v.want("e", "then the last reader")
		v.m.RUnlock()
		atRest(t, &v.m.gate)
	})
}

func TestACancelledWriterLetsTheReadersBehindItIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &visitors{t: t}
		ctx, cancel := context.WithCancel(t.Context())
		v.queue(t.Context(), "a", v.m.RLock)
		v.queue(ctx, "W", v.m.Lock)
		v.queue(t.Context(), "b", v.m.RLock)
		v.queue(t.Context(), "c", v.m.RLock)
		v.queue(t.Context(), "X", v.m.Lock)
		v.queue(t.Context(), "d", v.m.RLock)
		v.want("a", "the others wait behind the writer")
		cancel()
		v.want("bc", "nothing is left between them and the reader that is in")
		for range 3 {
			v.m.RUnlock()
		}
		v.want("X", "and the queue goes on")
		v.m.Unlock()
		v.want("d", "and on")
		v.m.RUnlock()
		atRest(t, &v.m.gate)
	})
}

func TestDowngradeLetsNoWriterInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &visitors{t: t}
		v.queue(t.Context(), "W", v.m.Lock)
		v.queue(t.Context(), "a", v.m.RLock)
		v.queue(t.Context(), "X", v.m.Lock)
		v.queue(t.Context(), "b", v.m.RLock)
		v.want("W", "the writer is alone")
		v.m.Downgrade()
		v.want("a", "the reader at the head enters, the one behind a writer does not")
		v.m.RUnlock()
		v.m.RUnlock()
		v.want("X", "both readers have left")
		v.m.Unlock()
		v.want("b", "the writer has left")
		v.m.RUnlock()
		atRest(t, &v.m.gate)
	})
}

func TestAWriterIsNotStarvedByReaders(t *testing.T) {
	var m RWMutex
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for !stop.Load() {
				_ = m.RLock(t.Context())
				m.RUnlock()
			}
		})
	}
	for range rounds(2_000) {
		_ = m.Lock(t.Context()) // hangs if readers that come later keep it out
		m.Unlock()
	}
	stop.Store(true)
	wg.Wait()
	atRest(t, &m.gate)
}

func TestAReaderIsNotStarvedByWriters(t *testing.T) {
	var m RWMutex
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for !stop.Load() {
				_ = m.Lock(t.Context())
				m.Unlock()
			}
		})
	}
	for range rounds(2_000) {
		_ = m.RLock(t.Context())
		m.RUnlock()
	}
	stop.Store(true)
	wg.Wait()
	atRest(t, &m.gate)
}

func TestMisuseOfAnRWMutexPanicsAndChangesNothing(t *testing.T) {
	var m RWMutex
	check := func(state, call string, f func()) {
		t.Helper()
		before := m.gate.word.Load()
		if got := panics(f); !strings.Contains(got, call+" of RWMutex that is not locked for") {
			t.Errorf("%s: %s panics with %q", state, call, got)
		}
		if after := m.gate.word.Load(); after != before {
			t.Errorf("%s: %s changed the word from %#x to %#x", state, call, before, after)
		}
	}
	check("unlocked", "Unlock", m.Unlock)
	check("unlocked", "RUnlock", m.RUnlock)
	check("unlocked", "Downgrade", m.Downgrade)
	_ = m.RLock(t.Context())
	check("read-locked", "Unlock", m.Unlock)
	check("read-locked", "Downgrade", m.Downgrade)
	m.RUnlock()
	_ = m.Lock(t.Context())
	check("write-locked", "RUnlock", m.RUnlock)
	m.Unlock()
	atRest(t, &m.gate)
}

func TestLockersAreTheSameLock(t *testing.T) {
	var m RWMutex
	m.RLocker().Lock()
	if m.TryLock() {
		t.Error("locked for writing while RLocker holds it")
	}
	m.RUnlock()
	m.Locker().Lock()
	if m.TryRLock() {
		t.Error("locked for reading while Locker holds it")
	}
	m.Unlock()
	_ = m.RLock(t.Context())
	m.RLocker().Unlock()
	_ = m.Lock(t.Context())
	m.Locker().Unlock()
	atRest(t, &m.gate)
}
