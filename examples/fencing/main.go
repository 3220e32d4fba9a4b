// Fencing shows what a lock alone cannot do, and what its token is for.
//
// A worker takes a lock, is paused (by its garbage collector, by a suspended machine, by an operator) and does not know
// that its lock has gone to another worker. When it wakes up, it writes what it had in hand. No lock service can stop
// it, since it asks none. The resource can: it keeps the largest token that it has seen and refuses smaller ones.
//
//	go run ./examples/fencing
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fencing:", err)
		os.Exit(1)
	}
}

// errStale says that a later holder of the lock has written already.
var errStale = errors.New("stale token")

// ledger is the resource: a database table or an object store. It needs no lock of its own here, because
// this program writes to it from one goroutine; a table does the comparison within the statement that writes:
//
//	UPDATE ledger SET text = $1, fence = $2 WHERE id = $3 AND fence <= $2
type ledger struct {
	text  string
	fence uint64 // the largest token seen
}

func (l *ledger) write(token uint64, text string) error {
	if token < l.fence {
		return errStale
	}
	l.text, l.fence = text, token
	return nil
}

func run(ctx context.Context, out io.Writer) error {
	// Two clients of one store stand for two machines.
	store := memory.New()
	east, err := manager.New(store, manager.WithLabel("east"))
	if err != nil {
		return err
	}
	west, err := manager.New(store.Peer(), manager.WithLabel("west"))
	if err != nil {
		return err
	}
	var book ledger

	paused, err := east.Lock("ledger").Acquire(ctx)
	if err != nil {
		return err
	}
	token := paused.Token() // east has read the ledger and is about to write. It is paused here

	// The store gives up on east: with Redis its lease expires, here an operator breaks it.
	if err := west.Break(ctx, "ledger"); err != nil {
		return err
	}
	lease, err := west.Lock("ledger").Acquire(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(book.write(lease.Token(), "written by west"), lease.Release()); err != nil {
		return err
	}
	fmt.Fprintln(out, "west wrote under a later token")

	// East goes on. Its lease would have told it; but it looked before it was paused, not after.
	err = book.write(token, "written by east")
	fmt.Fprintln(out, "east is refused:", errors.Is(err, errStale))
	fmt.Fprintln(out, "the ledger says:", book.text)
	fmt.Fprintln(out, "east, asked now, knows that its lease is lost:", errors.Is(paused.Release(), manager.ErrLost))
	return errors.Join(east.Close(ctx), west.Close(ctx))
}
