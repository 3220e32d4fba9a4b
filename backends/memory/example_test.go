package memory_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// Two clients of one store exclude each other, as two processes would.
func ExampleBackend_Peer() {
	ctx := context.Background()
	here := memory.New()
	there := here.Peer()

	r := backends.Request{
		Resource: backends.Resource{Name: "db", Kind: backends.Mutex, Capacity: 1},
		Weight:   1,
		Tokens:   1,
	}
	g, err := backends.Acquire(ctx, here, r)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = backends.TryAcquire(ctx, there, r)
	fmt.Println("there:", errors.Is(err, backends.ErrBusy))

	if err := backends.Release(ctx, here, g); err != nil {
		fmt.Println(err)
	}
	next, err := backends.TryAcquire(ctx, there, r)
	fmt.Println("there:", err, next.Token > g.Token)
	// Output:
	// there: true
	// there: <nil> true
}
