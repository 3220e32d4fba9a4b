package open_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/manager"
	"github.com/lockkeeper/lockkeeper/open"
)

// The store is named in the configuration of the program.
func ExampleStore() {
	ctx := context.Background()
	store, err := open.Store(ctx, "memory:") // or redis://db1:6379, or /run/locks
	if err != nil {
		fmt.Println(err)
		return
	}
	locks, err := manager.New(store)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = locks.Lock("report").Do(ctx, func(context.Context) error {
		fmt.Println("held")
		return nil
	})
	fmt.Println(err, locks.Close(ctx))
	// Output:
	// held
	// <nil> <nil>
}

// Address.String has no password, so it can be logged.
func ExampleParse() {
	address, err := open.Parse("redis://app:secret@db1:6379/2?dial_timeout=1s")
	fmt.Println(address, err)

	_, err = open.Parse("etcd://db1")
	var unknown *open.SchemeError
	fmt.Println(errors.As(err, &unknown), unknown.Scheme)
	// Output:
	// redis://db1:6379/2 <nil>
	// true etcd
}
