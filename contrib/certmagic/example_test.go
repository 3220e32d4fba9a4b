package lkcertmagic_test

import (
	"context"
	"fmt"
	"os"

	"github.com/caddyserver/certmagic"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	lkcertmagic "github.com/lockkeeper/lockkeeper/contrib/certmagic"
	"github.com/lockkeeper/lockkeeper/manager"
)

func Example() {
	ctx := context.Background()
	locks, err := manager.New(memory.New()) // a store for many machines: backends/redis
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = locks.Close(ctx) }()
	storage, err := lkcertmagic.New(locks, &certmagic.FileStorage{Path: os.TempDir()})
	if err != nil {
		fmt.Println(err)
		return
	}
	certmagic.Default.Storage = storage // certmagic locks with it from now on

	fmt.Println(storage.Lock(ctx, "issue_cert_example.com"))
	fmt.Println(storage.TryLock(ctx, "issue_cert_example.com"))
	fmt.Println(storage.Unlock(ctx, "issue_cert_example.com"))
	// Output:
	// <nil>
	// false <nil>
	// <nil>
}
