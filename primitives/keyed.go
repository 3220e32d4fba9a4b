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
	_    noCopy
	live sync.Map // K → *keyed, of the keys that are held or waited for
}

// A keyed is the mutex of one key for as long as it is in use. Its users are counted, and the last
// one removes it. From users = removed on it is dead: no user joins it any more, and a user that
// finds it in the map takes it out.
type keyed struct {
	users atomic.Int64
	mutex Mutex
}

const removed = -1

// Lock locks the mutex of key. If it is locked or has a queue, Lock waits behind
// them. What it returns means the same as with [Mutex.Lock]. After an error nothing of the wait
// is left: if the key has no other user, it costs nothing again.
func (m *KeyedMutex[K]) Lock(ctx context.Context, key K) error {
	if ctx == nil {
		return errNilContext
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	boxed := box(key)
	e := m.join(boxed)
	err := e.mutex.Lock(ctx)
	if err != nil {
		m.leave(boxed, e)
	}
	return err
}

// TryLock locks the mutex of key if it is unlocked and has no queue, and reports
// whether it did.
func (m *KeyedMutex[K]) TryLock(key K) bool {
	boxed := box(key)
	e := m.join(boxed)
	if !e.mutex.TryLock() {
		m.leave(boxed, e)
		return false
	}
	return true
}

// Unlock unlocks the mutex of key; if it has a queue, it then belongs to the waiter that came
// first. It never waits. It panics if the mutex of key is not locked, and has then changed
// nothing.
func (m *KeyedMutex[K]) Unlock(key K) {
	boxed := box(key)
	v, ok := m.live.Load(boxed)
	if !ok || !v.(*keyed).mutex.gate.release(limit) {
		panic("primitives: Unlock of unlocked key of KeyedMutex")
	}
	m.leave(boxed, v.(*keyed)) // up to here the caller's use has kept it alive
}

// box is key as the map wants it, made once for a call. A key that the map could not find again
// would stay in it for ever.
func box[K comparable](key K) any {
	if key != key { // NaN, and what has one in it
		panic("primitives: key of KeyedMutex does not equal itself")
	}
	return key
}

// join finds or makes the entry of key, and counts the caller among its users.
func (m *KeyedMutex[K]) join(key any) *keyed {
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
func (m *KeyedMutex[K]) leave(key any, e *keyed) {
	if e.users.Add(-1) == 0 && e.users.CompareAndSwap(0, removed) {
		m.live.CompareAndDelete(key, e)
	}
}
