package primitives

import (
	"context"
	"sync"
)

// An RWMutex is a lock that any number of readers or one writer can hold. It is granted in
// the order of arrival: readers that stand next to each other in the queue enter together,
// and a waiting writer stops the readers that come after it. So neither starves the other.
// The zero value is unlocked. An RWMutex must not be copied after first use; its methods
// may be called by any goroutine.
//
// Every method costs one compare-and-swap while nothing waits; RLock and RUnlock one atomic
// addition, which readers on many cores contend for as with [sync.RWMutex]. At rest it costs 64
// bytes, no goroutine, and needs no Close.
//
// A reader must not lock again for reading while it holds m: if a writer has queued in
// between, both wait for ever. Nor can a reader become a writer, for a second one that wanted
// the same would wait for the first, and the first for it. A reader that may want to write
// takes [RWMutex.UpgradeLock], which only one can hold at a time.
//
// In the terms of the Go memory model, each Unlock is synchronized before every Lock and RLock
// that succeeds after it, and each RUnlock before every Lock that succeeds after it.
type RWMutex struct {
	_    noCopy
	gate gate
}

// Lock locks m for writing: it waits until m is free, behind all that came before.
//
// Nil: the caller alone holds m. An error: it holds nothing and has left the queue, and
// readers that waited behind it enter if they can; [errors.Is] finds ctx.Err() in
// it, and its text has the cause of ctx. If ctx is done, Lock fails, even if m is free.
//
// Every Unlock and RUnlock before it is synchronized before a Lock that succeeds.
func (m *RWMutex) Lock(ctx context.Context) error {
	return m.gate.acquire(ctx, locking, limit)
}

// TryLock locks m for writing if it is free and has no queue, nor a reader that
// had to wait is about to queue, and reports whether it did. It never waits.
//
// One that succeeds is synchronized as a Lock is; one that fails synchronizes nothing.
func (m *RWMutex) TryLock() bool {
	return m.gate.word.CompareAndSwap(0, limit) || m.gate.tryAcquire(limit)
}

// Unlock unlocks m for writing. It never waits. It panics if m is not locked for writing, and has
// then changed nothing. It usually also panics if m was just handed to a writer that has not run yet.
//
// It is synchronized before every acquire of m, of any kind, that succeeds after it.
func (m *RWMutex) Unlock() {
	if !m.gate.word.CompareAndSwap(limit, 0) {
		m.unlockSlow()
	}
}

//go:noinline
func (m *RWMutex) unlockSlow() {
	if !m.writing() || !m.gate.release(limit) {
		panic("primitives: Unlock of RWMutex that is not locked for writing")
	}
}

// RLock locks m for reading: it waits until no writer holds m, behind all that came before,
// writers included. What it returns means the same as with [RWMutex.Lock].
//
// Every Unlock before it is synchronized before an RLock that succeeds.
func (m *RWMutex) RLock(ctx context.Context) error {
	// No look before: that would make the processor fetch the word twice when other readers use it.
	if ctx != nil && ctx.Err() == nil {
		if m.gate.word.Add(1)&^upgrader < crowd { // no flag, and no writer; model: join
			return nil
		}
		m.undo()
	}
	return m.gate.acquire(ctx, acquiring, 1)
}

// undo undoes the addition of a reader that must not enter. To waiters it is a reader
// that leaves.
func (m *RWMutex) undo() {
	if s := m.gate.word.Add(minusOne); s&inUse > limit+crowd {
		m.restore() // a mistaken RUnlock took it already
	} else if s > inUse { // model: takeBack
		m.gate.wakeKeeper()
	}
}

// restore gives back what a mistaken RUnlock took. It may have taken it from nothing: then it has
// borrowed from the flags, and they may have changed meanwhile. So they are set, and the
// keeper sees whether there is a waiter.
func (m *RWMutex) restore() {
	m.gate.word.Add(1)
	m.gate.word.Or(queued | mail)
	m.gate.wakeKeeper()
}

// TryRLock locks m for reading if no writer holds it and it has no queue, and reports
// whether it did. It never waits.
//
// One that succeeds is synchronized as an RLock is; one that fails synchronizes nothing.
func (m *RWMutex) TryRLock() bool { return m.gate.tryAcquire(1) }

// RUnlock undoes one RLock. It never waits. It panics if m is not locked for reading: it takes its
// step first, and undoes it at once. If a writer holds m, a reader that comes in between may enter
// beside it; otherwise nothing has changed. RUnlock cannot detect a caller that holds nothing while
// others read: one of them then loses its lock.
//
// It is synchronized before every Lock, TryLock and Upgrade that succeeds after it.
func (m *RWMutex) RUnlock() {
	// No look before, as in RLock.
	if s := m.gate.word.Add(minusOne); s >= crowd { // model: part
		m.runlockSlow(s)
	}
}

const minusOne = ^uint64(0)

//go:noinline
func (m *RWMutex) runlockSlow(s uint64) {
	if !m.parted(s) {
		panic("primitives: RUnlock of RWMutex that is not locked for reading")
	}
}

// runlock is RUnlock that reports false instead of a panic.
func (m *RWMutex) runlock() bool {
	s := m.gate.word.Add(minusOne)
	return s < crowd || m.parted(s)
}

// parted does what is left after a reader has taken its permit from the word, which is now s and
// not that of readers only. If there was no reader it undoes the step, and reports false.
func (m *RWMutex) parted(s uint64) bool {
	if s&inUse&^upgrader >= crowd { // there was no reader
		m.restore()
		return false
	}
	if s > inUse { // else there is an upgradeable reader
		m.gate.wakeKeeper()
	}
	return true
}

// Downgrade turns the caller's lock for writing, or its upgradeable one, into a plain one for
// reading, which RUnlock gives up. No writer comes in between. The first in the queue
// enters too, if a reader lets it. Downgrade never waits. It panics if m is locked
// neither way, and has then changed nothing.
//
// What the caller wrote before Downgrade is visible to all that enter after it.
func (m *RWMutex) Downgrade() {
	if m.gate.word.CompareAndSwap(limit, 1) {
		return
	}
	switch {
	case m.writing():
		m.gate.release(limit - 1)
	case m.upgradeable():
		m.gate.release(upgrader - 1)
	default:
		panic("primitives: Downgrade of RWMutex that is not locked for writing or upgradeable")
	}
}

// writing reports whether a writer holds m. The answer stays true for as long as the caller is
// that writer, and false for as long as it is a reader.
func (m *RWMutex) writing() bool { return m.gate.word.Load()&inUse >= limit }

// Locker returns the writer's side of m as a [sync.Locker]. Its Lock waits for as long as it
// takes. It is m itself: what one locks, the other may unlock.
func (m *RWMutex) Locker() sync.Locker {
	_ = &m.gate // a nil m panics here, not in the Locker
	return (*writeLocker)(m)
}

// RLocker returns the readers' side of m as a [sync.Locker]. Its Lock waits for as long as it
// takes. It is m itself: what one locks, the other may unlock.
func (m *RWMutex) RLocker() sync.Locker {
	_ = &m.gate // a nil m panics here, not in the Locker
	return (*readLocker)(m)
}

type (
	writeLocker RWMutex
	readLocker  RWMutex
)

func (l *writeLocker) Lock()   { lockForever((*RWMutex)(l).Lock) }
func (l *writeLocker) Unlock() { (*RWMutex)(l).Unlock() }
func (l *readLocker) Lock()    { lockForever((*RWMutex)(l).RLock) }
func (l *readLocker) Unlock()  { (*RWMutex)(l).RUnlock() }
