package lkgoose_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	lkgoose "github.com/lockkeeper/lockkeeper/contrib/goose"
	"github.com/lockkeeper/lockkeeper/manager"
)

// up brings a database up to date. Any number of processes may call it at once.
func up(ctx context.Context, locks *manager.Manager, db *sql.DB, migrations fs.FS) error {
	locker, ctx, cancel := lkgoose.New(ctx, locks.Lock("migrate/shop"))
	defer cancel()
	p, err := goose.NewProvider(goose.DialectPostgres, db, migrations, goose.WithLocker(locker))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx) // ctx ends if the lock is lost
	return err
}

func Example() {
	ctx := context.Background()
	locks, err := manager.New(memory.New()) // a store for many machines: backends/redis
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = locks.Close(ctx) }()
	fmt.Println(up(ctx, locks, nil, nil))
	// Output:
	// db must not be nil
}
