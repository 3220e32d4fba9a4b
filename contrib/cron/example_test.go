package lkcron_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/robfig/cron/v3"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	lkcron "github.com/lockkeeper/lockkeeper/contrib/cron"
	"github.com/lockkeeper/lockkeeper/manager"
)

func Example() {
	ctx, cancel := context.WithCancel(context.Background()) // ends all jobs
	defer cancel()
	locks, err := manager.New(memory.New()) // a store for many machines: backends/redis
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = locks.Close(context.Background()) }()
	logger := cron.PrintfLogger(log.New(os.Stdout, "", 0))
	skip := lkcron.SkipIfHeld(ctx, locks.Lock("report"), logger)

	done := make(chan struct{})
	c := cron.New(cron.WithSeconds())
	_, err = c.AddJob("* * * * * *", cron.NewChain(skip).Then(lkcron.FuncJob(func(ctx context.Context) {
		select {
		case done <- struct{}{}: // ctx ends if the lock is lost
			fmt.Println("alone with", manager.LeaseFrom(ctx).Name())
		case <-ctx.Done():
		}
	})))
	c.Start()
	<-done
	cancel()
	<-c.Stop().Done()
	fmt.Println(err)
	// Output:
	// alone with report
	// <nil>
}
