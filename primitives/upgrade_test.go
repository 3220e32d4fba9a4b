package primitives

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestAnUpgradeableReaderSharesWithReadersOnly(t *testing.T) {
	var m RWMutex
	_ = m.RLock(t.Context())
	if !m.TryUpgradeLock() {
		t.Fatal("a reader keeps an upgradeable one out")
	}
	if !m.TryRLock() {
		t.Error("an upgradeable reader keeps a plain one out")
	}
	if m.TryUpgradeLock() {
		t.Error("there are two upgradeable readers")
	}
	m.RUnlock()
	m.RUnlock()
	if m.TryLock() {
		t.Error("a writer is in with an upgradeable reader")
	}
	m.UpgradeUnlock()
	_ = m.Lock(t.Context())
	if m.TryUpgradeLock() {
		t.Error("an upgradeable reader is in with a writer")
	}
	m.Unlock()
	atRest(t, &m.gate)
}

func TestUpgradeableReadersQueueInTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &visitors{t: t}
		ctx := t.Context()
		v.queue(ctx, "U", v.m.UpgradeLock)
		v.queue(ctx, "a", v.m.RLock)
		v.want("Ua", "they share")
		v.queue(ctx, "V", v.m.UpgradeLock)
		v.queue(ctx, "b", v.m.RLock)
		v.queue(ctx, "W", v.m.Lock)
		v.want("", "one upgradeable at a time, and nobody overtakes the one that waits")
		v.m.UpgradeUnlock()
		v.want("Vb", "the next one, and the reader behind it")
		v.m.RUnlock()
		v.m.RUnlock()
		v.want("", "the writer waits for the upgradeable reader")
		v.m.UpgradeUnlock()
		v.want("W", "all have left")
		v.m.Unlock()
		atRest(t, &v.m.gate)
	})
}

func TestAnUpgradeWaitsForReadersAndLetsNobodyInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &visitors{t: t}
		ctx := t.Context()
		v.queue(ctx, "U", v.m.UpgradeLock)
		v.queue(ctx, "a", v.m.RLock)
		v.queue(ctx, "b", v.m.RLock)
		v.queue(ctx, "W", v.m.Lock)
		v.queue(ctx, "V", v.m.UpgradeLock)
		v.queue(ctx, "c", v.m.RLock)
		v.want("Uab", "the others wait behind the writer")
		v.queue(ctx, "up", v.m.Upgrade)
		v.want("", "two readers are in")
		if v.m.TryRLock() {
			t.Error("a reader entered while an upgrade waited")
		}
		v.m.RUnlock()
		v.want("", "one reader is in")
		v.m.RUnlock()
		v.want("pu", "the upgrade goes before the writer that came first")
		v.m.DowngradeToUpgrade()
		v.want("", "a writer is first in the queue")
		if !v.m.TryUpgrade() {
			t.Error("no reader is in, but TryUpgrade fails")
		}
		v.m.Unlock()
		v.want("W", "then the queue goes on")
		v.m.Unlock()
		v.want("Vc", "in its order")
		v.m.RUnlock()
		v.m.UpgradeUnlock()
		atRest(t, &v.m.gate)
	})
}

func TestACancelledUpgradeLeavesTheUpgradeableLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &visitors{t: t}
		_ = v.m.UpgradeLock(t.Context())
		_ = v.m.RLock(t.Context())
		ctx, cancel := context.WithCancelCause(t.Context())
		result := make(chan error, 1)
		go func() { result <- v.m.Upgrade(ctx) }()
		synctest.Wait()
		v.queue(t.Context(), "a", v.m.RLock)
		v.want("", "an upgrade waits")
		cancel(errShift)
		v.want("a", "it does no more")
		if err := <-result; !errors.Is(err, context.Canceled) || !errors.Is(err, errShift) {
			t.Errorf("Upgrade: %v", err)
		}
		if v.m.TryUpgradeLock() || v.m.TryUpgrade() {
			t.Error("the upgradeable lock is gone, or excludes no readers")
		}
		v.m.RUnlock()
		v.m.RUnlock()
		if err := v.m.Upgrade(done()); !errors.Is(err, errShift) {
			t.Errorf("Upgrade with a done context: %v", err)
		}
		if err := v.m.Upgrade(nil); err == nil { //nolint:staticcheck // what is tested
			t.Error("Upgrade with a nil context succeeds")
		}
		if err := v.m.Upgrade(t.Context()); err != nil {
			t.Errorf("Upgrade: %v", err)
		}
		v.m.Unlock()
		atRest(t, &v.m.gate)
	})
}

// A cancel at the moment when the last reader leaves: whichever wins, nothing is lost.
func TestACancelRacesTheUpgrade(t *testing.T) {
	var m RWMutex
	won, lost := 0, 0
	for range rounds(100_000) {
		_ = m.UpgradeLock(t.Context())
		_ = m.RLock(t.Context())
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(cancel)
		wg.Go(m.RUnlock)
		if err := m.Upgrade(ctx); err == nil {
			won++
			m.Unlock()
		} else {
			lost++
			wg.Wait()
			m.UpgradeUnlock()
		}
		wg.Wait()
		cancel()
	}
	t.Logf("%d upgrades, %d cancels", won, lost)
	atRest(t, &m.gate)
}

// What would be a deadlock if two readers could both ask for the upgrade: all do, for ever.
func TestManyUpgradersDoNotDeadlock(t *testing.T) {
	var m RWMutex
	var wg sync.WaitGroup
	value := 0
	const goroutines = 8
	each := rounds(20_000)
	for range goroutines {
		wg.Go(func() {
			for range each {
				_ = m.UpgradeLock(t.Context())
				read := value
				_ = m.Upgrade(t.Context())
				if value != read {
					t.Error("what an upgradeable reader read was changed before it wrote")
				}
				value = read + 1
				m.Unlock()
			}
		})
		wg.Go(func() {
			for range each {
				_ = m.RLock(t.Context())
				_ = value
				m.RUnlock()
			}
		})
	}
	wg.Wait()
	if value != goroutines*each {
		t.Errorf("counted %d of %d", value, goroutines*each)
	}
	atRest(t, &m.gate)
}

func TestUpgradesExcludeLikeWriters(t *testing.T) {
	const reader, upgradeable, writer = 1, 1_000, 1_000_000
	var m RWMutex
	var in atomic.Int64
	enter := func(as, most int64) {
		if n := in.Add(as); n >= most {
			t.Errorf("%d came in, and then there are %d", as, n)
		}
	}
	var wg sync.WaitGroup
	each := rounds(50_000)
	for g := range 6 {
		wg.Go(func() {
			for i := range each {
				ctx, cancel := context.WithCancel(t.Context())
				if i%5 == 0 {
					go cancel()
				}
				switch (g + i) % 3 {
				case 0:
					_ = m.RLock(t.Context())
					enter(reader, writer)
					in.Add(-reader)
					m.RUnlock()
				case 1:
					_ = m.Lock(t.Context())
					enter(writer, writer+1)
					in.Add(-writer + upgradeable)
					m.DowngradeToUpgrade()
					in.Add(-upgradeable + reader)
					m.Downgrade()
					in.Add(-reader)
					m.RUnlock()
				default:
					visitUpgradeable(ctx, &m, i, &in, enter)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	atRest(t, &m.gate)
}

func visitUpgradeable(ctx context.Context, m *RWMutex, i int, in *atomic.Int64, enter func(as, most int64)) {
	const upgradeable, writer = 1_000, 1_000_000
	if m.UpgradeLock(ctx) != nil {
		return
	}
	enter(upgradeable, 2*upgradeable)
	up := i%2 == 0 && m.TryUpgrade()
	if up || m.Upgrade(ctx) == nil {
		enter(writer-upgradeable, writer+1)
		in.Add(-writer)
		m.Unlock()
		return
	}
	in.Add(-upgradeable)
	m.UpgradeUnlock()
}

func TestMisuseOfAnUpgradePanicsAndChangesNothing(t *testing.T) {
	var m RWMutex
	check := func(state, call string, f func()) {
		t.Helper()
		before := m.gate.word.Load()
		if got := panics(f); !strings.Contains(got, call+" of RWMutex that is not locked") {
			t.Errorf("%s: %s panics with %q", state, call, got)
		}
		if after := m.gate.word.Load(); after != before {
			t.Errorf("%s: %s changed the word from %#x to %#x", state, call, before, after)
		}
	}
	upgrade := func() { _ = m.Upgrade(t.Context()) }
	tryUpgrade := func() { m.TryUpgrade() }
	for _, state := range []struct {
		name      string
		in, leave func()
	}{
		{"unlocked", func() {}, func() {}},
		{"read-locked", func() { _ = m.RLock(t.Context()) }, m.RUnlock},
		{"write-locked", func() { _ = m.Lock(t.Context()) }, m.Unlock},
	} {
		state.in()
		check(state.name, "UpgradeUnlock", m.UpgradeUnlock)
		check(state.name, "Upgrade", upgrade)
		check(state.name, "TryUpgrade", tryUpgrade)
		if state.name != "write-locked" {
			check(state.name, "DowngradeToUpgrade", m.DowngradeToUpgrade)
			check(state.name, "Downgrade", m.Downgrade)
		}
		state.leave()
	}
	_ = m.UpgradeLock(t.Context())
	check("upgradeable", "Unlock", m.Unlock)
	check("upgradeable", "RUnlock", m.RUnlock)
	check("upgradeable", "DowngradeToUpgrade", m.DowngradeToUpgrade)
	m.UpgradeUnlock()
	atRest(t, &m.gate)
}
