package file_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file"
)

// Two clients of one directory exclude each other, as two processes would. Programs use a backend through
// package manager.
func Example() {
	dir, err := os.MkdirTemp("", "locks")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	a, err := file.New(filepath.Join(dir, "locks"))
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close(ctx)
	b, err := file.New(filepath.Join(dir, "locks"))
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close(ctx)

	db := backends.Request{
		Resource: backends.Resource{Name: "db", Kind: backends.Mutex, Capacity: 1},
		Weight:   1, Tokens: 1,
	}
	first, err := backends.Acquire(ctx, a, db)
	if err != nil {
		log.Fatal(err)
	}
	_, err = backends.TryAcquire(ctx, b, db)
	fmt.Println("while the first holds:", errors.Is(err, backends.ErrBusy))
	if err := backends.Release(ctx, a, first); err != nil {
		log.Fatal(err)
	}
	second, err := backends.TryAcquire(ctx, b, db)
	fmt.Println("afterwards:", err == nil, second.Token > first.Token)
	// Output:
	// while the first holds: true
	// afterwards: true true
}
