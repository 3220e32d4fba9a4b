package lkriver_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/riverqueue/river/rivertype"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	lkriver "github.com/lockkeeper/lockkeeper/contrib/river"
	"github.com/lockkeeper/lockkeeper/manager"
)

func Example() {
	ctx := context.Background()
	locks, err := manager.New(memory.New()) // a store for many machines: backends/postgres
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = locks.Close(ctx) }()
	limit, err := lkriver.New(func(job *rivertype.JobRow) (manager.Claim, bool) {
		return locks.Semaphore("job/"+job.Kind, 1).Permits(1), true
	}) // for river.Config{Middleware: []rivertype.Middleware{limit}}
	if err != nil {
		fmt.Println(err)
		return
	}
	job := &rivertype.JobRow{Kind: "report"}
	err = limit.Work(ctx, job, func(context.Context) error {
		err := limit.Work(ctx, job, nil) // another worker takes a job of the same kind
		var snooze *rivertype.JobSnoozeError
		fmt.Println(errors.Is(err, manager.ErrBusy), errors.As(err, &snooze), snooze.Duration)
		return nil
	})
	fmt.Println(err)
	// Output:
	// true true 5s
	// <nil>
}
