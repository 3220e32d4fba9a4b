package lkasynq_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/hibiken/asynq"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	lkasynq "github.com/lockkeeper/lockkeeper/contrib/asynq"
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
	limit, err := lkasynq.New(func(t *asynq.Task) (manager.Claim, bool) {
		return locks.Semaphore("task/"+t.Type(), 1).Permits(1), true
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := asynq.NewServeMux() // for a server that has lkasynq.IsFailure and lkasynq.RetryDelay
	mux.Use(limit)
	mux.HandleFunc("report", func(_ context.Context, t *asynq.Task) error {
		err := mux.ProcessTask(ctx, t) // another worker takes a task of the same type
		fmt.Println(errors.Is(err, manager.ErrBusy), lkasynq.IsFailure(err))
		return nil
	})
	fmt.Println(mux.ProcessTask(ctx, asynq.NewTask("report", nil)))
	// Output:
	// true false
	// <nil>
}
