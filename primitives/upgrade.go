package primitives

import "context"

// An RWMutex in the word of its gate: a reader has one permit, a writer has them all. An
// upgradeable reader has upgrader of them, which is more than half, so there is never a
// second; the rest is enough for any number of readers beside it.
const (
	upgrader uint64 = limit/2 + 1
	readers         = upgrader - 1 // also the permits that make a writer of an upgrader

	// crowd is more readers than there can be: half of the permits that are theirs, so that a
	// mistaken RUnlock, which takes one from a writer before it is noticed, does not make the word
	// look as if there were readers. A reader that checks only for a free permit sees it as if
	// there were one.
	crowd = upgrader / 2
)

// UpgradeLock locks m for reading by a holder that may later want to write: readers come and go
// beside it, but no writer and no other upgradeable reader. It waits until none of these
// holds m, behind all who came before. UpgradeUnlock gives it up, [RWMutex.Upgrade] makes it a
// lock for writing, [RWMutex.Downgrade] a plain one for reading.
//
// What it returns means the same as with [RWMutex.Lock]. It costs what RLock does.
//
// Each UpgradeUnlock is synchronized before every Lock, UpgradeLock and Upgrade that succeeds
// after it, and each Unlock before every UpgradeLock that succeeds after it.
func (m *RWMutex) UpgradeLock(ctx context.Context) error {
	return m.gate.acquire(ctx, acquiring, upgrader)
}

// TryUpgradeLock does what UpgradeLock does, if it need not wait: no writer and no other
// upgradeable reader holds m, and it has no queue. It reports whether it did.
func (m *RWMutex) TryUpgradeLock() bool { return m.gate.tryAcquire(upgrader) }

// UpgradeUnlock undoes UpgradeLock. After an Upgrade, call [RWMutex.Unlock] instead. UpgradeUnlock
// never waits. It panics if m is not locked upgradeable, and has then changed nothing.
func (m *RWMutex) UpgradeUnlock() {
	s := m.gate.word.Load()
	if s >= upgrader && s < limit && m.gate.word.CompareAndSwap(s, s-upgrader) { // model: leave
		return
	}
	if !m.upgradeable() || !m.gate.release(upgrader) {
		panic("primitives: UpgradeUnlock of RWMutex that is not locked upgradeable")
	}
}

// Upgrade makes the caller's upgradeable lock one for writing: it waits until the readers have
// left. No reader enters meanwhile, and no writer comes in between: what the caller read is
// still true. It goes before the queue, which waits for the caller anyway.
//
// Nil: the caller alone holds m; it gives it up by Unlock, or goes back by DowngradeToUpgrade. An
// error: the caller still has its upgradeable lock, and readers that waited behind the Upgrade
// enter; [errors.Is] finds ctx.Err() in the error, and its text has the cause of ctx. If ctx is
// done, Upgrade fails, even if there is no reader, or the last one leaves at that moment.
//
// Only the holder of the upgradeable lock may call it, so two can never wait for each
// other. It panics if m is not locked upgradeable, and has then changed nothing. One
// compare-and-swap if there is no reader.
//
// Each RUnlock is synchronized before every Upgrade that succeeds after it.
func (m *RWMutex) Upgrade(ctx context.Context) error {
	if !m.upgradeable() {
		panic("primitives: Upgrade of RWMutex that is not locked upgradeable")
	}
	return m.gate.acquire(ctx, upgrading, readers)
}

// TryUpgrade does what Upgrade does, if there is no reader, nor one that is about to queue
// because it had to wait, and reports whether it did. If it
// did not, the caller still has its upgradeable lock. It panics if m is not locked upgradeable.
func (m *RWMutex) TryUpgrade() bool {
	if m.gate.word.CompareAndSwap(upgrader, limit) { // model: enter
		return true
	}
	if !m.upgradeable() {
		panic("primitives: TryUpgrade of RWMutex that is not locked upgradeable")
	}
	// No reader, and yet the word was another: there is a queue, so the keeper decides.
	return m.gate.word.Load()&readers == 0 && m.gate.decide(tryingUpgrade, readers) == granted
}

// DowngradeToUpgrade undoes Upgrade: it turns the caller's lock for writing into an upgradeable
// one, and lets readers at the head of the queue in. No writer comes in between. It never
// waits. It panics if m is not locked for writing, and has then changed nothing.
//
// What the caller wrote before it is visible to every reader that enters after it.
func (m *RWMutex) DowngradeToUpgrade() {
	if !m.gate.word.CompareAndSwap(limit, upgrader) && (!m.writing() || !m.gate.release(readers)) {
		panic("primitives: DowngradeToUpgrade of RWMutex that is not locked for writing")
	}
}

// upgradeable reports whether m is held upgradeable, and by no writer. The answer
// stays true for as long as the caller is that one.
func (m *RWMutex) upgradeable() bool {
	s := m.gate.word.Load() & inUse
	return s >= upgrader && s < limit
}
