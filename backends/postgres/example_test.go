package postgres_test

import (
	"context"
	"log"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/manager"
)

// A program installs the locks, and then uses them like those of any other store.
func ExampleNew() {
	ctx, dsn := context.Background(), os.Getenv("DATABASE_URL")
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		log.Fatal(err)
	}
	if err := postgres.Migrate(ctx, conn); err != nil {
		log.Fatal(err)
	}
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	b, err := postgres.New(pool)
	if err != nil {
		log.Fatal(err)
	}
	m, err := manager.New(b)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close(ctx)
	err = m.Lock("invoices").Do(ctx, func(ctx context.Context) error {
		return nil // alone in the cluster, until ctx ends
	})
	if err != nil {
		log.Print(err)
	}
}
