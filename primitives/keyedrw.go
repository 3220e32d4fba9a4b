package primitives

import "context"

// A KeyedRWMutex is one [RWMutex] for each key: any number of readers or one writer for each user,
// file or order. A key that nothing holds or waits for costs nothing: it has no entry. The zero
// value has no key locked. A KeyedRWMutex must not be copied after first use; its methods may be
// called by any goroutine.
//
// Each key is locked on its own, as an RWMutex is: in the order of arrival, cancellable, not
// re-entrant; a waiting writer stops the readers that come after it. A reader must not lock the
// same key again, for reading or for writing. What [KeyedMutex] says of keys and costs holds here
// too.
//
// In the terms of the Go memory model, each Unlock of a key is synchronized before every Lock and
// RLock of an equal key that succeeds after it, and each RUnlock before every Lock that succeeds
// after it.
type KeyedRWMutex[K comparable] struct {
	_ noCopy
	keys
}

// Lock locks key for writing: it waits until key is free, behind all that came before. What it
// returns means the same as with [RWMutex.Lock]. After an error nothing of the wait is left: if the
// key has no other user, it costs nothing again.
func (m *KeyedRWMutex[K]) Lock(ctx context.Context, key K) error {
	return m.acquire(ctx, box(key), locking, limit)
}

// TryLock locks key for writing if it is free and has no queue, and reports whether it did.
func (m *KeyedRWMutex[K]) TryLock(key K) bool { return m.tryAcquire(box(key), limit) }

// Unlock unlocks key for writing. It never waits. It panics if key is not locked for writing, and has
// then changed nothing.
func (m *KeyedRWMutex[K]) Unlock(key K) {
	boxed := box(key)
	e := m.find(boxed)
	if e == nil || !e.lock.gate.release(limit) {
		panic("primitives: Unlock of key of KeyedRWMutex that is not locked for writing")
	}
	m.leave(boxed, e) // up to here the caller's use has kept it alive
}

// RLock locks key for reading: it waits until no writer holds key, behind all that came before,
// writers included. What it returns means the same as with [KeyedRWMutex.Lock].
func (m *KeyedRWMutex[K]) RLock(ctx context.Context, key K) error {
	return m.acquire(ctx, box(key), acquiring, 1)
}

// TryRLock locks key for reading if no writer holds it and it has no queue, and reports whether it
// did.
func (m *KeyedRWMutex[K]) TryRLock(key K) bool { return m.tryAcquire(box(key), 1) }

// RUnlock undoes one RLock of key. It never waits. It panics if key is not locked for reading, as
// [RWMutex.RUnlock] does. It cannot detect a caller that holds nothing while others read: one of
// them then loses its lock.
func (m *KeyedRWMutex[K]) RUnlock(key K) {
	boxed := box(key)
	e := m.find(boxed)
	if e == nil || !e.lock.runlock() {
		panic("primitives: RUnlock of key of KeyedRWMutex that is not locked for reading")
	}
	m.leave(boxed, e)
}
