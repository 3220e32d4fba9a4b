package lkgocron_test

import (
	"context"
	"fmt"

	"github.com/go-co-op/gocron/v2"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	lkgocron "github.com/lockkeeper/lockkeeper/contrib/gocron"
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
	locker, err := lkgocron.New(locks)
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := gocron.NewScheduler(gocron.WithDistributedLocker(locker))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = s.Shutdown() }()

	done := make(chan struct{})
	_, err = s.NewJob(
		gocron.OneTimeJob(gocron.OneTimeJobStartImmediately()),
		gocron.NewTask(func(ctx context.Context) {
			ctx = locker.Context(ctx) // ends if the lock is lost
			fmt.Println("alone with", manager.LeaseFrom(ctx).Name(), ctx.Err())
			close(done)
		}),
		gocron.WithName("report"))
	s.Start()
	<-done
	fmt.Println(err)
	// Output:
	// alone with report <nil>
	// <nil>
}
