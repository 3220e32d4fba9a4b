package inprocess

import "github.com/lockkeeper/lockkeeper/bench/harness"

// The names of the sides.
const (
	ours     = "primitives"
	stdlib   = "sync"
	weighted = "semaphore.Weighted"
	channel  = "channel of 1"            // and a select with the context: it can be cancelled, as ours can
	bare     = "channel of 1, no select" // cannot be cancelled
	viney    = "viney-shih/go-lock"
	marusama = "marusama/semaphore"
)

// Suite returns the suite.
func Suite() harness.Suite {
	return harness.Suite{Name: "inprocess", Open: harness.Fixed(func() []harness.Case {
		cases := []harness.Case{mutexAlone(), mutexSteps(), readerAlone(), semaphoreAlone(), parallelReaders()}
		for _, n := range []int{2, 8, 64, 1000} {
			cases = append(cases, mutexContended(n))
		}
		cases = append(cases, semaphoreContended(64), cancelOne(), cancelLatest(), cancelEverybody(), idle(), manyWaiters())
		for _, w := range workloads {
			cases = append(cases, readersAndWriters(8, w))
		}
		return append(cases, matrix()...)
	})}
}
