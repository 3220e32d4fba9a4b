package manager_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
)

func Example() {
	m, err := manager.New(memory.New()) // or file.New(dir), redis.New(client)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	defer func() { _ = m.Close(ctx) }()

	err = m.Lock("invoice/4711").Do(ctx, func(ctx context.Context) error {
		fmt.Println("nobody else sends invoice 4711 now")
		return ctx.Err() // not nil if the lease were lost
	})
	fmt.Println(err)
	// Output:
	// nobody else sends invoice 4711 now
	// <nil>
}

func ExampleClaim_Acquire() {
	m, _ := manager.New(memory.New())
	ctx := context.Background()
	defer func() { _ = m.Close(ctx) }()

	lease, err := m.Lock("db").Acquire(ctx)
	if err != nil {
		fmt.Println("not held:", err)
		return
	}
	defer func() { _ = lease.Release() }()

	write := func(_ context.Context, token uint64) { fmt.Println("written under a token:", token > 0) }
	write(lease.Context(), lease.Token()) // the receiver refuses tokens smaller than it has seen
	// Output: written under a token: true
}

func ExampleClaim_TryAcquire() {
	m, _ := manager.New(memory.New())
	ctx := context.Background()
	defer func() { _ = m.Close(ctx) }()

	first, err := m.Semaphore("gpu", 2).Permits(2).Acquire(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = m.Semaphore("gpu", 2).Permits(1).TryAcquire(ctx)
	var held *manager.HeldError // busy: held in this process since …
	fmt.Println(errors.Is(err, manager.ErrBusy), errors.As(err, &held), held.Holder.Weight)
	_ = first.Release()
	// Output: true true 2
}

func ExampleClaim_Reentrant() {
	m, _ := manager.New(memory.New())
	ctx := context.Background()
	defer func() { _ = m.Close(ctx) }()

	save := func(ctx context.Context) error {
		return m.Lock("db").Reentrant().Do(ctx, func(context.Context) error {
			fmt.Println("saved")
			return nil
		})
	}
	fmt.Println(m.Lock("db").Do(ctx, save)) // the context says that the caller holds "db" already

	fmt.Println(m.Lock("db").Do(ctx, func(ctx context.Context) error {
		_, err := m.Lock("db").Acquire(ctx) // not re-entrant: it would wait for itself
		return err
	}))
	// Output:
	// saved
	// <nil>
	// acquire "db": deadlock: this context already holds it; see Reentrant
}

func ExampleManager_All() {
	m, _ := manager.New(memory.New())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	defer func() { _ = m.Close(ctx) }()

	transfer := m.All(m.Lock("account/2"), m.Lock("account/1"))
	lease, err := transfer.Acquire(ctx)
	if err != nil {
		fmt.Println("none is held:", err)
		return
	}
	for _, part := range lease.Leases() {
		fmt.Println(part.Name())
	}
	fmt.Println(lease.Release())
	// Output:
	// account/1
	// account/2
	// <nil>
}

func ExampleManager_RWLock() {
	m, _ := manager.New(memory.New())
	ctx := context.Background()
	defer func() { _ = m.Close(ctx) }()

	config := m.RWLock("config")
	a, errA := config.Read().Acquire(ctx)
	b, errB := config.Read().Acquire(ctx)
	if err := errors.Join(errA, errB); err != nil {
		fmt.Println(err)
		return
	}
	_, err := config.Write().TryAcquire(ctx)
	fmt.Println(errors.Is(err, manager.ErrBusy))
	_, _ = a.Release(), b.Release()
	w, err := config.Write().TryAcquire(ctx)
	fmt.Println(w.Name(), err)
	_ = w.Release()
	// Output:
	// true
	// config <nil>
}

// A lease that is lost says so: to its context, and to whoever asks.
func ExampleLease_Context() {
	m, _ := manager.New(memory.New(), manager.WithMaxHold(time.Millisecond))
	ctx := context.Background()
	defer func() { _ = m.Close(ctx) }()

	lease, err := m.Lock("db").Acquire(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	<-lease.Context().Done()
	var lost *manager.LostError
	if errors.As(context.Cause(lease.Context()), &lost) {
		fmt.Println(lost.Name, lost.Reason)
	}
	fmt.Println(errors.Is(lease.Release(), manager.ErrLost))
	// Output:
	// db max-hold
	// true
}

// A lease goes on in another process: a job is begun by one, and ended by another. Here two managers
// stand for the processes.
func ExampleLease_Detach() {
	store, ctx := memory.New(), context.Background()
	first, _ := manager.New(store)
	second, _ := manager.New(store.Peer())
	defer func() { _, _ = first.Close(ctx), second.Close(ctx) }()

	lease, err := first.Lock("import").Acquire(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	ticket, err := lease.Detach(ctx) // text, to be sent with the job
	if err != nil {
		fmt.Println(err)
		return
	}
	adopted, err := second.Adopt(ctx, ticket)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the same token:", adopted.Token() == lease.Token())
	_, err = second.Adopt(ctx, ticket)
	fmt.Println("used once:", errors.Is(err, manager.ErrTicket))
	fmt.Println("released:", adopted.Release())
	// Output:
	// the same token: true
	// used once: true
	// released: <nil>
}

func ExampleManager_Lead() {
	m, _ := manager.New(memory.New())
	ctx := context.Background()
	defer func() { _ = m.Close(ctx) }()

	err := m.Lead(ctx, "scheduler", func(ctx context.Context, term uint64) error {
		fmt.Println("leading, with a token to send along:", term > 0)
		return ctx.Err() // a real one works until ctx ends
	})
	fmt.Println("it resigned:", err)
	// Output:
	// leading, with a token to send along: true
	// it resigned: <nil>
}

func ExampleElection() {
	m, _ := manager.New(memory.New(), manager.WithLabel("this process"))
	ctx, stop := context.WithCancel(context.Background())
	defer func() { _ = m.Close(context.Background()) }()

	e := m.Election("scheduler")
	err := e.Lead(ctx, func(ctx context.Context, term uint64) error {
		leader, err := e.Leader(ctx) // asked by any process
		fmt.Println("leads:", leader.Label, e.IsLeader(), leader.Token == term, err)

		e.Resign() // to whoever waits; here nobody does, so the next term is this process's again
		fmt.Println("resigned:", context.Cause(ctx), e.IsLeader())
		stop()
		return nil
	}, manager.HoldAtMost(time.Hour)) // no term is longer
	fmt.Println(errors.Is(err, context.Canceled))
	// Output:
	// leads: this process true true <nil>
	// resigned: resigned from leadership false
	// true
}

func ExampleHoldAtLeast() {
	m, _ := manager.New(memory.New()) // of many hosts, whose clocks differ
	ctx := context.Background()
	defer func() { _ = m.Close(ctx) }()

	job := func() { // each host calls it once a minute
		lease, err := m.Lock("report").TryAcquire(ctx, manager.HoldAtLeast(30*time.Second))
		if err != nil {
			fmt.Println("skipped:", errors.Is(err, manager.ErrBusy))
			return
		}
		defer lease.Release() // at once, and the name stays taken
		fmt.Println("report")
	}
	job()
	job()
	// Output:
	// report
	// skipped: true
}
