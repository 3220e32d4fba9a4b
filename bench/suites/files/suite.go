package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"

	"github.com/lockkeeper/lockkeeper/backends/file"
	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/leases"
	"github.com/lockkeeper/lockkeeper/manager"
)

// The names of the sides.
const (
	ours      = "manager over files"
	oursSmall = "the same, small heap"
	backend   = "backend alone"
	peer      = clients.Flock
)

// Suite returns the suite. Its files lie in a directory of its own, which is gone afterwards.
func Suite() harness.Suite {
	return harness.Suite{Name: "file", Open: func(context.Context, bool) ([]harness.Case, func() error, error) {
		dir, err := os.MkdirTemp("", "lkbench")
		if err != nil {
			return nil, nil, err
		}
		return []harness.Case{
				alone(dir), contended(dir, 64), handOff(dir), waiting(dir), killed(dir), tenNames(dir),
				behindQueues(dir, "1 process", 1), behindQueues(dir, "2 processes", 2),
			},
			func() error { return os.RemoveAll(dir) }, nil
	}}
}

// run is what a side runs.
type run = func(context.Context, harness.Budget) (harness.Metrics, error)

func alone(dir string) harness.Case {
	c := harness.Case{
		Name:   "uncontended",
		Models: "one process works on a file that nobody else touches now; ours also writes down a new token before each grant",
		Sides: []harness.Side{
			{Name: ours, Run: loop(dir, leases.Loop)},
			{Name: backend, Run: func(ctx context.Context, b harness.Budget) (_ harness.Metrics, err error) {
				s, err := file.New(filepath.Join(dir, "ours"))
				if err != nil {
					return nil, err
				}
				defer func() { err = errors.Join(err, harness.Within(time.Minute, s.Close)) }()
				return harness.Loop(func(ctx context.Context, n int) error { return leases.Bare(ctx, s, "alone", n) })(ctx, b)
			}},
			{Name: peer, Run: harness.Loop(func(_ context.Context, n int) error {
				f := flock.New(filepath.Join(dir, "peer"))
				for range n {
					if ok, err := f.TryLock(); !ok {
						return errors.Join(errors.New("not locked"), err)
					}
					if err := f.Unlock(); err != nil {
						return err
					}
				}
				return nil
			})},
		},
		Checks: []harness.Check{
			{What: "Acquire + Release, uncontended, token persisted", Metric: "ns/op", Ours: ours, Base: []string{peer}, Bound: 1.5},
			{What: "Acquire + Release, without the manager", Metric: "ns/op", Ours: backend, Base: []string{peer}, NoTarget: true},
		},
	}
	c.Sides = append(c.Sides, raw(dir)...)
	c.Checks = append(c.Checks, rawChecks()...)
	return c
}

func contended(dir string, n int) harness.Case {
	mine := spec(dir, "contended")
	return harness.Case{
		Name:   fmt.Sprintf("%d goroutines of one process", n),
		Models: "requests to one server, with a heap of 64 MB, that all want the same file",
		Sides: []harness.Side{
			{Name: ours, Run: withHeap(serverHeap, each(n, mine))},
			{Name: oursSmall, Run: withHeap(0, each(n, mine))},
			{Name: peer, Run: withHeap(serverHeap, each(n, clients.Spec{Library: clients.Flock, Store: filepath.Join(dir, "peers"), Name: "contended"}))},
		},
		Checks: []harness.Check{
			{What: fmt.Sprintf("%d goroutines of one process", n), Metric: "grants/s", Ours: ours, Base: []string{peer}, Direction: harness.AtLeast, Bound: 2},
			{What: fmt.Sprintf("%d goroutines of one process, Jain index", n), Metric: "jain", Ours: ours, Direction: harness.AtLeast, Bound: 0.99},
			{What: fmt.Sprintf("%d goroutines of one process, Jain index", n), Metric: "jain", Ours: ours, Base: []string{peer}, Direction: harness.AtLeast, NoTarget: true},
			{What: "the same with a heap of 4 MB: always collecting", Metric: "jain", Ours: oursSmall, Direction: harness.AtLeast, NoTarget: true},
		},
	}
}

const serverHeap = 64 << 20

// withHeap gives the process a heap of the size that a server's has. Go's collector begins at 4 MB, which this load fills every few
// milliseconds, and while it runs the runtime stops goroutines to have them help: whoever helps does not stand in
// the queue, and gets less than the others although nobody in the queue is ever overtaken.
func withHeap(size int, r run) run {
	return func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
		heap := make([]byte, size) // without pointers and never touched: it costs nothing but the number
		defer runtime.KeepAlive(heap)
		runtime.GC() // it counts from now on
		return r(ctx, b)
	}
}

// each contends with n goroutines of this process.
func each(n int, s clients.Spec) run {
	return func(ctx context.Context, b harness.Budget) (_ harness.Metrics, err error) {
		c, err := clients.Open(ctx, s)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		return harness.ContendedEach(n, func() func() harness.Guard { return c.Handle })(ctx, b)
	}
}

func handOff(dir string) harness.Case {
	return harness.Case{
		Name:   "hand-off between two processes",
		Models: "two programs that take turns; the time is from before the release in one to the grant in the other, which sleeps",
		Rounds: 3,
		Sides:  sides(dir, handOffs),
		Checks: []harness.Check{
			{What: "hand-off between two processes, p50", Metric: "p50 µs", Ours: ours, Bound: 300},
			{What: "hand-off between two processes, p99", Metric: "p99 µs", Ours: ours, Bound: 2000},
			{What: "hand-off between two processes, p50", Metric: "p50 µs", Ours: ours, Base: []string{peer}, NoTarget: true},
			{What: "hand-off between two processes, p99", Metric: "p99 µs", Ours: ours, Base: []string{peer}, NoTarget: true},
			{What: "hand-off between two processes, longest", Metric: "max µs", Ours: ours, Base: []string{peer}, NoTarget: true},
		},
	}
}

func waiting(dir string) harness.Case {
	return harness.Case{
		Name:   "waiting",
		Models: "a program that waits for another one's long job",
		Rounds: 2,
		Sides:  sides(dir, waits),
		Checks: []harness.Check{
			{What: "the waiter's CPU while waiting, %", Metric: "CPU %", Ours: ours, Bound: 0.5},
			{What: "the waiter's CPU while waiting, %", Metric: "CPU %", Ours: ours, Base: []string{peer}, NoTarget: true},
		},
	}
}

func killed(dir string) harness.Case {
	return harness.Case{
		Name:   "kill -9 of the holder",
		Models: "a crash with the lock held: from the kill to the grant of the process that waits",
		Rounds: 3,
		Sides:  sides(dir, kills),
		Checks: []harness.Check{
			{What: "kill -9 of the holder to the next grant, ms", Metric: "max ms", Ours: ours, Bound: 50, Worst: true},
			{What: "kill -9 of the holder to the next grant", Metric: "max ms", Ours: ours, Base: []string{peer}, NoTarget: true},
		},
	}
}

// sides runs the same with ours and the peer, each on a lock of its own.
func sides(dir string, body func(clients.Spec) run) []harness.Side {
	return []harness.Side{
		{Name: ours, Run: body(spec(dir, "shared"))},
		{Name: peer, Run: body(clients.Spec{Library: clients.Flock, Store: filepath.Join(dir, "peers"), Name: "shared"})},
	}
}

// loop measures a loop of a manager over the suite's store.
func loop(dir string, body func(context.Context, *manager.Manager, string, int) error) run {
	s := spec(dir, "alone")
	return func(ctx context.Context, b harness.Budget) (_ harness.Metrics, err error) {
		m, shut, err := clients.Manager(s)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, shut()) }()
		return harness.Loop(func(ctx context.Context, n int) error {
			return body(ctx, m, s.Name, n)
		})(ctx, b)
	}
}

// spec names a lock of ours.
func spec(dir, name string) clients.Spec {
	return clients.Spec{Library: clients.File, Store: filepath.Join(dir, "ours"), Name: name}
}

func tenNames(dir string) harness.Case {
	return leases.TenNames(
		harness.Side{Name: leases.Ten, Run: loop(dir, leases.LoopTen)},
		harness.Side{Name: leases.One, Run: loop(dir, leases.Loop)}, 8,
		"Each name has files of its own: eight calls of the kernel each, as for one name alone, and only the manager's tenth is shared. "+
			"A table for many names would be needed, and a table of its own is what one process leaves to another (docs/internals/file.md)")
}

func behindQueues(dir, what string, processes int) harness.Case {
	return leases.BehindQueues(what, func(all bool) run {
		return clients.Behind(spec(dir, "queues"), all, processes)
	})
}
