package primitives

import (
	"context"
	"sync"
	"sync/atomic"
)

// A KeyedMutex is one [Mutex] for each key: one for each user, file or order. A key that nothing
// holds or waits for costs nothing: it has no entry. The zero value has no key locked. A
// KeyedMutex must not be copied after first use; its methods may be called by any goroutine.
//
// Each key is locked on its own, as a Mutex is: in the order of arrival, cancellable, not
// re-entrant. Keys are equal if == says so; one that does not equal itself, such as NaN, is
// refused by a panic, as is one whose dynamic type cannot be compared.
//
// To lock and unlock a key at rest costs a few allocations, some 140 bytes, and two to three
// times the time of a map of mutexes under one more. There is no lock over all keys, and memory
// that many keys took is free again after they are. At rest it costs 48 bytes and an empty
// [sync.Map], no goroutine, and needs no Close.
//
// In the terms of the Go memory model, the n'th call to Unlock of a key is synchronized before
// the m'th Lock or TryLock of an equal key that succeeds, for n < m.
type KeyedMutex[K comparable] struct {
	_ noCopy
	keys
}

// Lock locks the mutex of key. If it is locked or has a queue, Lock waits behind
// them. What it returns means the same as with [Mutex.Lock]. After an error nothing of the wait
// is left: if the key has no other user, it costs nothing again.
func (m *KeyedMutex[K]) Lock(ctx context.Context, key K) error {
	return m.acquire(ctx, box(key), locking, limit)
}

// TryLock locks the mutex of key if it is unlocked and has no queue, and reports
// whether it did.
func (m *KeyedMutex[K]) TryLock(key K) bool { return m.tryAcquire(box(key), limit) }

// Unlock unlocks the mutex of key; if it has a queue, it then belongs to the waiter that came
// first. It never waits. It panics if the mutex of key is not locked, and has then changed
// nothing.
func (m *KeyedMutex[K]) Unlock(key K) {
	boxed := box(key)
	e := m.find(boxed)
	if e == nil || !e.lock.gate.release(limit) {
		panic("primitives: Unlock of unlocked key of KeyedMutex")
	}
	m.leave(boxed, e) // up to here the caller's use has kept it alive
}

// keys holds the keys that are held or waited for: K → *keyed.
type keys struct{ live sync.Map }

// A keyed is the lock of one key for as long as it is in use. Its users are counted, and the last
// one removes it. From users = removed on it is dead: no user joins it any more, and a user that
// finds it in the map takes it out.
type keyed struct {
	users atomic.Int64
	lock  RWMutex // a KeyedMutex only writes
}

const removed = -1

// box is key as the map wants it, made once for a call. A key that the map could not find again
// would stay in it for ever.
func box[K comparable](key K) any {
	if key != key { // NaN, and what has one in it
		panic("primitives: key does not equal itself")
	}
	return key
}

// acquire takes n permits of the lock of key, as [gate.acquire] does.
func (m *keys) acquire(ctx context.Context, key any, k kind, n uint64) error {
	if ctx == nil {
		return errNilContext
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	e := m.join(key)
	err := e.lock.gate.acquire(ctx, k, n)
	if err != nil {
		m.leave(key, e)
	}
	return err
}

// tryAcquire takes n permits of the lock of key if they are free and it has no queue.
func (m *keys) tryAcquire(key any, n uint64) bool {
	e := m.join(key)
	if !e.lock.gate.tryAcquire(n) {
		m.leave(key, e)
		return false
	}
	return true
}

// find returns the entry of key, nil if it has none. It is alive only if the caller is a user.
func (m *keys) find(key any) *keyed {
	if v, ok := m.live.Load(key); ok {
		return v.(*keyed)
	}
	return nil
}

// join finds or makes the entry of key, and counts the caller among its users.
func (m *keys) join(key any) *keyed {
	for {
		v, ok := m.live.Load(key)
		if !ok {
			e := &keyed{}
			e.users.Store(1)
			if v, ok = m.live.LoadOrStore(key, e); !ok {
				return e
			}
		}
		e := v.(*keyed)
		if e.join() {
			return e
		}
		m.live.CompareAndDelete(key, e) // the user that made it dead is about to do the same
	}
}

// join counts one user more, unless e is dead.
func (e *keyed) join() bool {
	for {
		n := e.users.Load()
		if n == removed {
			return false
		}
		if e.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave counts one user less. The last one removes e, unless another joins in time.
func (m *keys) leave(key any, e *keyed) {
	if e.users.Add(-1) == 0 && e.users.CompareAndSwap(0, removed) {
		m.live.CompareAndDelete(key, e)
	}
}
