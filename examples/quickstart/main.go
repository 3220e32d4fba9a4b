// Quickstart shows one vocabulary of locks on three levels: goroutines, names in a process, processes of a machine.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/file"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
	"github.com/lockkeeper/lockkeeper/primitives"
)

func main() {
	dir, err := os.MkdirTemp("", "quickstart-")
	if err == nil {
		err = errors.Join(run(context.Background(), os.Stdout, dir), os.RemoveAll(dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, dir string) error {
	for _, level := range []func() error{
		func() error { return goroutines(ctx, out) },
		func() error { return names(ctx, out) },
		func() error { return processes(ctx, out, dir) },
	} {
		if err := level(); err != nil {
			return err
		}
	}
	return nil
}

// goroutines: a mutex that is fair, and whose waiters can give up.
func goroutines(ctx context.Context, out io.Writer) error {
	var mu primitives.Mutex // ready, as sync.Mutex is
	if err := mu.Lock(ctx); err != nil {
		return err
	}
	impatient, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	err := mu.Lock(impatient) // held: this one waits, and then gives up
	fmt.Fprintln(out, "goroutines: gave up:", errors.Is(err, context.DeadlineExceeded))
	mu.Unlock()
	fmt.Fprintln(out, "goroutines: free again:", mu.TryLock())
	mu.Unlock()
	return nil
}

// names: any number of named locks, none of which costs anything while it is not in use.
func names(ctx context.Context, out io.Writer) error {
	locks, err := manager.New(memory.New())
	if err != nil {
		return err
	}
	balance := map[string]int{"anna": 100, "ben": 0}
	transfer := func(from, to string) error {
		// Both or none, in an order that cannot deadlock with a transfer the other way round.
		return locks.All(locks.Lock(from), locks.Lock(to)).Do(ctx, func(context.Context) error {
			balance[from]--
			balance[to]++
			return nil
		})
	}
	var wg sync.WaitGroup
	errs := make([]error, 100)
	for i := range errs {
		wg.Go(func() {
			errs[i] = transfer("anna", "ben")
		})
	}
	wg.Wait()
	fmt.Fprintln(out, "names: anna has", balance["anna"], "and ben has", balance["ben"])
	return errors.Join(errors.Join(errs...), locks.Close(ctx))
}

// processes: the same claims, and now other processes of this machine are locked out as well.
func processes(ctx context.Context, out io.Writer, dir string) error {
	store, err := file.New(dir)
	if err != nil {
		return err
	}
	locks, err := manager.New(store)
	if err != nil {
		return err
	}
	first, err := locks.Lock("report").Acquire(ctx)
	if err != nil {
		return err
	}
	_, err = locks.Lock("report").TryAcquire(ctx)
	fmt.Fprintln(out, "processes: busy:", errors.Is(err, manager.ErrBusy))
	if err := first.Release(); err != nil {
		return err
	}
	second, err := locks.Lock("report").Acquire(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "processes: the later token is larger:", second.Token() > first.Token())
	return errors.Join(second.Release(), locks.Close(ctx))
}
