package actor

import (
	"context"
	"hash/maphash"
	"runtime/pprof"
	"sync/atomic"
)

// labelKey is the pprof label under which profiles and goroutine dumps show an actor's name.
const labelKey = "actor"

// A labelSet is the ready-made pprof label of one name. Making one costs several
// allocations, wearing one costs a pointer store.
type labelSet struct {
	name string
	ctx  context.Context
}

// labels remembers the sets made last, by hash of the name: names that come back (the
// keepers of a lock, the workers of a pool) cost nothing, and a million names used once
// leave no more than this array. It caches values that can be made again, so it
// is no state that an actor would have to own.
var (
	labels    [64]atomic.Pointer[labelSet]
	labelSeed = maphash.MakeSeed()
)

// wearLabel gives the calling goroutine the name in profiles and goroutine dumps.
// Without it a new goroutine would wear the label of the goroutine that started it.
func wearLabel(name string) {
	at := &labels[maphash.String(labelSeed, name)%uint64(len(labels))]
	set := at.Load()
	if set == nil || set.name != name {
		set = &labelSet{
			name: name,
			ctx:  pprof.WithLabels(context.Background(), pprof.Labels(labelKey, name)),
		}
		at.Store(set)
	}
	pprof.SetGoroutineLabels(set.ctx)
}
