package backends_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// A backend grants permits of named resources; a manager is what programs use instead.
func ExampleBackend() {
	ctx := context.Background()
	var b backends.Backend = memory.New()
	defer b.Close(ctx)

	r := backends.Request{
		Resource: backends.Resource{Name: "printer", Kind: backends.Semaphore, Capacity: 2},
		Weight:   2,
		Tokens:   1,
		Owner:    backends.Owner{Host: "db1", PID: 4711, Label: "backup"},
	}
	g, err := backends.Acquire(ctx, b, r)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = backends.TryAcquire(ctx, b, r)
	var busy *backends.BusyError
	if errors.As(err, &busy) {
		busy.Holder.Since = time.Time{} // to print the same today and tomorrow
	}
	fmt.Println(err, errors.Is(err, backends.ErrBusy))

	r.Kind, r.Capacity, r.Weight = backends.Mutex, 1, 1
	_, err = backends.TryAcquire(ctx, b, r)
	fmt.Println(err)

	fmt.Println(backends.Release(ctx, b, g))
	// Output:
	// memory: try to acquire "printer": busy: held by pid 4711 on db1 (backup) true
	// memory: try to acquire: "printer" is in use as a semaphore of 2 permits, not as a lock
	// <nil>
}
