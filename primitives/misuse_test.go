package primitives

import (
	"context"
	"math"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/apitest"
)

// do gives a call without a result the result nil.
func do(f func()) func() any { return func() any { f(); return nil } }

// TestMisuse has a row for every exported function: nil contexts, receivers and arguments, zero
// values, negative and absurd numbers, and releases without a grant.
func TestMisuse(t *testing.T) {
	rows := misusedLocks()
	rows = append(rows, misusedSemaphores()...)
	rows = append(rows, misusedMeetings()...)
	apitest.Run(t, rows, map[string]string{
		"BrokenError.Unwrap": "a value that only the package makes",
	})
}

const (
	nilContext = "error: primitives: nil context"
	tooLarge   = "error: primitives: more permits than the capacity"
	accepted   = "<nil>"
)

func misusedLocks() []apitest.Row {
	var none context.Context
	bg := context.Background()
	var noMutex *Mutex
	var noRW *RWMutex
	const nilPointer = apitest.NilPointer
	rows := misusedKeys()
	return append(rows, []apitest.Row{
		bad("BrokenError.Error", "zero", func() any { return new(BrokenError).Error() }, "primitives: barrier broken"),
		bad("Mutex.Lock", "nil context", func() any { return new(Mutex).Lock(none) }, nilContext),
		bad("Mutex.Lock", "nil receiver", func() any { return noMutex.Lock(bg) }, nilPointer),
		bad("Mutex.TryLock", "nil receiver", func() any { return noMutex.TryLock() }, nilPointer),
		bad("Mutex.Unlock", "not locked", do(new(Mutex).Unlock), "panic: primitives: Unlock of unlocked Mutex"),
		bad("Mutex.Unlock", "nil receiver", do(noMutex.Unlock), nilPointer),
		bad("Mutex.Locker", "nil receiver", func() any { return noMutex.Locker() }, nilPointer),

		bad("RWMutex.Lock", "nil context", func() any { return new(RWMutex).Lock(none) }, nilContext),
		bad("RWMutex.Lock", "nil receiver", func() any { return noRW.Lock(bg) }, nilPointer),
		bad("RWMutex.TryLock", "nil receiver", func() any { return noRW.TryLock() }, nilPointer),
		bad("RWMutex.Unlock", "not locked", do(new(RWMutex).Unlock), "panic: primitives: Unlock of RWMutex that is not locked"),
		bad("RWMutex.Unlock", "nil receiver", do(noRW.Unlock), nilPointer),
		bad("RWMutex.RLock", "nil context", func() any { return new(RWMutex).RLock(none) }, nilContext),
		bad("RWMutex.RLock", "nil receiver", func() any { return noRW.RLock(bg) }, nilPointer),
		bad("RWMutex.TryRLock", "nil receiver", func() any { return noRW.TryRLock() }, nilPointer),
		bad("RWMutex.RUnlock", "not locked", do(new(RWMutex).RUnlock), "panic: primitives: RUnlock of RWMutex that is not locked"),
		bad("RWMutex.RUnlock", "nil receiver", do(noRW.RUnlock), nilPointer),
		bad("RWMutex.Downgrade", "not locked", do(new(RWMutex).Downgrade), "panic: primitives: Downgrade of RWMutex that is not locked"),
		bad("RWMutex.Downgrade", "nil receiver", do(noRW.Downgrade), nilPointer),
		bad("RWMutex.DowngradeToUpgrade", "not locked", do(new(RWMutex).DowngradeToUpgrade),
			"panic: primitives: DowngradeToUpgrade of RWMutex that is not locked"),
		bad("RWMutex.DowngradeToUpgrade", "nil receiver", do(noRW.DowngradeToUpgrade), nilPointer),
		bad("RWMutex.UpgradeLock", "nil context", func() any { return new(RWMutex).UpgradeLock(none) }, nilContext),
		bad("RWMutex.UpgradeLock", "nil receiver", func() any { return noRW.UpgradeLock(bg) }, nilPointer),
		bad("RWMutex.TryUpgradeLock", "nil receiver", func() any { return noRW.TryUpgradeLock() }, nilPointer),
		bad("RWMutex.UpgradeUnlock", "not locked", do(new(RWMutex).UpgradeUnlock),
			"panic: primitives: UpgradeUnlock of RWMutex that is not locked"),
		bad("RWMutex.UpgradeUnlock", "nil receiver", do(noRW.UpgradeUnlock), nilPointer),
		bad("RWMutex.Upgrade", "not locked", func() any { return new(RWMutex).Upgrade(bg) },
			"panic: primitives: Upgrade of RWMutex that is not locked"),
		bad("RWMutex.Upgrade", "nil context", func() any {
			var m RWMutex
			_ = m.UpgradeLock(context.Background())
			return m.Upgrade(none)
		}, nilContext),
		bad("RWMutex.Upgrade", "nil receiver", func() any { return noRW.Upgrade(bg) }, nilPointer),
		bad("RWMutex.TryUpgrade", "not locked", func() any { return new(RWMutex).TryUpgrade() },
			"panic: primitives: TryUpgrade of RWMutex that is not locked"),
		bad("RWMutex.TryUpgrade", "nil receiver", func() any { return noRW.TryUpgrade() }, nilPointer),
		bad("RWMutex.Locker", "nil receiver", func() any { return noRW.Locker() }, nilPointer),
		bad("RWMutex.RLocker", "nil receiver", func() any { return noRW.RLocker() }, nilPointer),
	}...)
}

func misusedKeys() []apitest.Row {
	var none context.Context
	bg := context.Background()
	var noKeyed *KeyedMutex[any]
	var noKeyedRW *KeyedRWMutex[any]
	const (
		nilPointer = apitest.NilPointer
		notItself  = "panic: primitives: key does not equal itself"
		notWritten = "panic: primitives: Unlock of key of KeyedRWMutex that is not locked for writing"
		notRead    = "panic: primitives: RUnlock of key of KeyedRWMutex that is not locked for reading"
	)
	return []apitest.Row{
		bad("KeyedMutex.Lock", "nil context", func() any { return new(KeyedMutex[int]).Lock(none, 1) }, nilContext),
		bad("KeyedMutex.Lock", "nil key", func() any { return new(KeyedMutex[any]).Lock(bg, nil) }, accepted),
		bad("KeyedMutex.Lock", "key that is not itself", func() any { return new(KeyedMutex[float64]).Lock(bg, math.NaN()) },
			notItself),
		bad("KeyedMutex.Lock", "key that cannot be compared", func() any { return new(KeyedMutex[any]).Lock(bg, []int{}) },
			"panic: runtime error: comparing uncomparable type []int"),
		bad("KeyedMutex.Lock", "nil receiver", func() any { return noKeyed.Lock(bg, 1) }, nilPointer),
		bad("KeyedMutex.TryLock", "key that is not itself", func() any { return new(KeyedMutex[float64]).TryLock(math.NaN()) },
			notItself),
		bad("KeyedMutex.TryLock", "nil receiver", func() any { return noKeyed.TryLock(1) }, nilPointer),
		bad("KeyedMutex.Unlock", "not locked", do(func() { new(KeyedMutex[int]).Unlock(1) }),
			"panic: primitives: Unlock of unlocked key of KeyedMutex"),
		bad("KeyedMutex.Unlock", "nil receiver", do(func() { noKeyed.Unlock(1) }), nilPointer),

		bad("KeyedRWMutex.Lock", "nil context", func() any { return new(KeyedRWMutex[int]).Lock(none, 1) }, nilContext),
		bad("KeyedRWMutex.Lock", "nil key", func() any { return new(KeyedRWMutex[any]).Lock(bg, nil) }, accepted),
		bad("KeyedRWMutex.Lock", "key that is not itself", func() any {
			return new(KeyedRWMutex[float64]).Lock(bg, math.NaN())
		}, notItself),
		bad("KeyedRWMutex.Lock", "nil receiver", func() any { return noKeyedRW.Lock(bg, 1) }, nilPointer),
		bad("KeyedRWMutex.TryLock", "nil receiver", func() any { return noKeyedRW.TryLock(1) }, nilPointer),
		bad("KeyedRWMutex.Unlock", "not locked", do(func() { new(KeyedRWMutex[int]).Unlock(1) }), notWritten),
		bad("KeyedRWMutex.Unlock", "nil receiver", do(func() { noKeyedRW.Unlock(1) }), nilPointer),
		bad("KeyedRWMutex.RLock", "nil context", func() any { return new(KeyedRWMutex[int]).RLock(none, 1) }, nilContext),
		bad("KeyedRWMutex.RLock", "nil receiver", func() any { return noKeyedRW.RLock(bg, 1) }, nilPointer),
		bad("KeyedRWMutex.TryRLock", "nil receiver", func() any { return noKeyedRW.TryRLock(1) }, nilPointer),
		bad("KeyedRWMutex.RUnlock", "not locked", do(func() { new(KeyedRWMutex[int]).RUnlock(1) }), notRead),
		bad("KeyedRWMutex.RUnlock", "nil receiver", do(func() { noKeyedRW.RUnlock(1) }), nilPointer),
	}
}

func misusedSemaphores() []apitest.Row {
	var none context.Context
	bg := context.Background()
	var nobody *Semaphore
	const nilPointer = apitest.NilPointer
	return []apitest.Row{
		bad("NewSemaphore", "negative", func() any { return NewSemaphore(-1) }, "panic: primitives: NewSemaphore with a negative size"),
		bad("NewWeighted", "negative", func() any { return NewWeighted(math.MinInt64) }, "panic: primitives: NewSemaphore with a negative size"),
		bad("Semaphore.Acquire", "nil context", func() any { return NewSemaphore(1).Acquire(none, 1) }, nilContext),
		bad("Semaphore.Acquire", "negative", func() any { return NewSemaphore(1).Acquire(bg, -1) },
			"panic: primitives: Acquire of a negative number of permits"),
		bad("Semaphore.Acquire", "absurd", func() any { return NewSemaphore(1).Acquire(bg, math.MaxInt64) }, tooLarge),
		bad("Semaphore.Acquire", "nil receiver", func() any { return nobody.Acquire(bg, 1) }, nilPointer),
		bad("Semaphore.Acquire", "zero value", func() any { return new(Semaphore).Acquire(bg, 1) }, tooLarge),
		bad("Semaphore.Acquire", "zero value, absurd", func() any { return new(Semaphore).Acquire(bg, math.MaxInt64) }, tooLarge),
		bad("Semaphore.Acquire", "zero value, no permits", func() any { return new(Semaphore).Acquire(bg, 0) }, accepted),
		bad("Semaphore.Acquire", "zero value, nil context", func() any { return new(Semaphore).Acquire(none, 1) }, nilContext),
		bad("Semaphore.Acquire", "zero value, done context", func() any { return new(Semaphore).Acquire(done(), 0) }, "error: context canceled"),
		bad("Semaphore.Acquire", "zero value, negative", func() any { return new(Semaphore).Acquire(bg, -1) },
			"panic: primitives: Acquire of a negative number of permits"),
		bad("Semaphore.TryAcquire", "negative", func() any { return NewSemaphore(1).TryAcquire(-1) },
			"panic: primitives: TryAcquire of a negative number of permits"),
		bad("Semaphore.TryAcquire", "nil receiver", func() any { return nobody.TryAcquire(1) }, nilPointer),
		bad("Semaphore.TryAcquire", "zero value", func() any { return new(Semaphore).TryAcquire(1) }, "false"),
		bad("Semaphore.TryAcquire", "zero value, absurd", func() any { return new(Semaphore).TryAcquire(math.MaxInt64) }, "false"),
		bad("Semaphore.Release", "negative", do(func() { NewSemaphore(1).Release(-1) }),
			"panic: primitives: Release of a negative number of permits"),
		bad("Semaphore.Release", "nothing held", do(func() { NewSemaphore(1).Release(1) }),
			"panic: primitives: Release of more permits than are held"),
		bad("Semaphore.Release", "zero value", do(func() { new(Semaphore).Release(1) }),
			"panic: primitives: Release of more permits than are held"),
		bad("Semaphore.Release", "nil receiver", do(func() { nobody.Release(1) }), nilPointer),
		bad("Semaphore.Resize", "negative", do(func() { NewSemaphore(1).Resize(-1) }), "panic: primitives: Resize to a negative size"),
		bad("Semaphore.Resize", "nil receiver", do(func() { nobody.Resize(1) }), nilPointer),
		bad("Semaphore.Size", "zero value", func() any { return new(Semaphore).Size() }, "0"),
		bad("Semaphore.Size", "nil receiver", func() any { return nobody.Size() }, nilPointer),
		bad("Semaphore.InUse", "zero value", func() any { return new(Semaphore).InUse() }, "0"),
		bad("Semaphore.InUse", "nil receiver", func() any { return nobody.InUse() }, nilPointer),
		bad("Semaphore.Waiting", "zero value", func() any { return new(Semaphore).Waiting() }, "0"),
		bad("Semaphore.Waiting", "nil receiver", func() any { return nobody.Waiting() }, nilPointer),
	}
}

func misusedMeetings() []apitest.Row {
	var none context.Context
	bg := context.Background()
	var noCond *Cond
	var noBarrier *Barrier
	var noLatch *Latch
	var noEvent *Event
	const (
		nilPointer  = apitest.NilPointer
		zeroCond    = "panic: primitives: use of a zero Cond: make it with NewCond"
		zeroBarrier = "panic: primitives: use of a zero Barrier: make it with NewBarrier"
		zeroLatch   = "panic: primitives: use of a zero Latch: make it with NewLatch"
	)
	return []apitest.Row{
		bad("NewCond", "nil mutex", func() any { return NewCond(nil) }, "panic: primitives: NewCond of a nil Mutex"),
		bad("Cond.Wait", "nil context", func() any { return NewCond(new(Mutex)).Wait(none) }, nilContext),
		bad("Cond.Wait", "not locked", func() any { return NewCond(new(Mutex)).Wait(bg) },
			"panic: primitives: Wait of Cond whose Mutex is not locked"),
		bad("Cond.Wait", "zero value", func() any { return new(Cond).Wait(bg) }, zeroCond),
		bad("Cond.Wait", "nil receiver", func() any { return noCond.Wait(bg) }, nilPointer),
		bad("Cond.Signal", "zero value", do(new(Cond).Signal), zeroCond),
		bad("Cond.Signal", "nil receiver", do(noCond.Signal), nilPointer),
		bad("Cond.Broadcast", "zero value", do(new(Cond).Broadcast), zeroCond),
		bad("Cond.Broadcast", "nil receiver", do(noCond.Broadcast), nilPointer),

		bad("NewBarrier", "none", func() any { return NewBarrier(0) }, "panic: primitives: NewBarrier for less than one party"),
		bad("NewBarrier", "negative", func() any { return NewBarrier(-1) }, "panic: primitives: NewBarrier for less than one party"),
		bad("Barrier.Wait", "nil context", func() any { return NewBarrier(1).Wait(none) }, nilContext),
		bad("Barrier.Wait", "zero value", func() any { return new(Barrier).Wait(bg) }, zeroBarrier),
		bad("Barrier.Wait", "nil receiver", func() any { return noBarrier.Wait(bg) }, nilPointer),
		bad("Barrier.Reset", "zero value", do(new(Barrier).Reset), zeroBarrier),
		bad("Barrier.Reset", "nil receiver", do(noBarrier.Reset), nilPointer),
		bad("Barrier.IsBroken", "zero value", func() any { return new(Barrier).IsBroken() }, zeroBarrier),
		bad("Barrier.IsBroken", "nil receiver", func() any { return noBarrier.IsBroken() }, nilPointer),

		bad("NewLatch", "negative", func() any { return NewLatch(-1) }, "panic: primitives: NewLatch with a negative count"),
		bad("Latch.CountDown", "negative", do(func() { NewLatch(1).CountDown(-1) }), "panic: primitives: CountDown of a Latch by a negative number"),
		bad("Latch.CountDown", "absurd", do(func() { NewLatch(1).CountDown(math.MaxInt64) }), "panic: primitives: CountDown of a Latch below zero"),
		bad("Latch.CountDown", "largest", func() any {
			l := NewLatch(math.MaxInt64)
			l.CountDown(math.MaxInt64 - 1)
			return l.Count()
		}, "1"),
		bad("Latch.CountDown", "zero value", do(func() { new(Latch).CountDown(0) }), zeroLatch),
		bad("Latch.CountDown", "nil receiver", do(func() { noLatch.CountDown(1) }), nilPointer),
		bad("Latch.Count", "zero value", func() any { return new(Latch).Count() }, zeroLatch),
		bad("Latch.Count", "nil receiver", func() any { return noLatch.Count() }, nilPointer),
		bad("Latch.Wait", "nil context", func() any { return NewLatch(0).Wait(none) }, nilContext),
		bad("Latch.Wait", "zero value", func() any { return new(Latch).Wait(bg) }, zeroLatch),
		bad("Latch.Wait", "nil receiver", func() any { return noLatch.Wait(bg) }, nilPointer),
		bad("Latch.C", "zero value", func() any { return new(Latch).C() }, zeroLatch),
		bad("Latch.C", "nil receiver", func() any { return noLatch.C() }, nilPointer),

		bad("Event.Set", "nil receiver", do(noEvent.Set), nilPointer),
		bad("Event.Reset", "nil receiver", do(noEvent.Reset), nilPointer),
		bad("Event.IsSet", "nil receiver", func() any { return noEvent.IsSet() }, nilPointer),
		bad("Event.Wait", "nil context", func() any { return new(Event).Wait(none) }, nilContext),
		bad("Event.Wait", "nil receiver", func() any { return noEvent.Wait(bg) }, nilPointer),
		bad("Event.C", "nil receiver", func() any { return noEvent.C() }, nilPointer),
	}
}

// bad is a row of the table.
func bad(name, which string, call func() any, want string) apitest.Row {
	return apitest.Row{Name: name, Case: which, Call: call, Want: want}
}
