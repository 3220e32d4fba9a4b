package primitives

// Weighted is [Semaphore] under the name that it has in golang.org/x/sync/semaphore, so that
// a program moves here by its import alone:
//
//	import semaphore "github.com/lockkeeper/lockkeeper/primitives"
//
// The test-suite of that package passes so. What differs is said at [Semaphore].
type Weighted = Semaphore

// NewWeighted is [NewSemaphore].
func NewWeighted(n int64) *Weighted { return NewSemaphore(n) }
