package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/manager"
)

// The code of docs/fencing.md.

var errStale = errors.New("a later holder has been at this account")

// load takes the fence and reads, in one statement: from here on smaller tokens are refused.
func load(ctx context.Context, db *pgxpool.Pool, id int64, token uint64) (balance int64, err error) {
	err = db.QueryRow(ctx, `
		UPDATE account SET token = $2 WHERE id = $1 AND token <= $2
		RETURNING balance`, id, token).Scan(&balance)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, errStale
	}
	return balance, err
}

// save writes, unless a later holder has loaded the account meanwhile.
func save(ctx context.Context, db *pgxpool.Pool, id, balance int64, token uint64) error {
	tag, err := db.Exec(ctx, `
		UPDATE account SET balance = $3 WHERE id = $1 AND token = $2`, id, token, balance)
	if err == nil && tag.RowsAffected() == 0 {
		return errStale
	}
	return err
}

// enter begins a transaction of a holder. A later holder that enters waits for its end; an earlier one
// that enters afterwards is refused, and rolls back.
func enter(ctx context.Context, tx pgx.Tx, lease *manager.Lease) error {
	tag, err := tx.Exec(ctx, `
		INSERT INTO fence (name, token) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET token = excluded.token
		WHERE fence.token <= excluded.token`, lease.Name(), lease.Token())
	if err == nil && tag.RowsAffected() == 0 {
		return errStale
	}
	return err
}

// book changes the account, and no other holder is granted the lease before the transaction has ended.
func book(ctx context.Context, db *pgxpool.Pool, lease *manager.Lease, id, amount int64) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if err := postgres.Fence(ctx, tx, lease); err != nil {
			return err // errors.Is(err, manager.ErrLost): a later holder may be at work
		}
		_, err := tx.Exec(ctx, `UPDATE account SET balance = balance + $2 WHERE id = $1`, id, amount)
		return err
	})
}

// accounts returns a pool of a database that has an account with 100 in it, and the locks, and two
// managers over them.
func accounts(t *testing.T) (db *pgxpool.Pool, east, west *manager.Manager) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	dsn := server.Get(t).Database(t)
	db, err := pgxpool.New(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if err := postgres.MigrateURL(ctx, dsn, ""); err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(ctx, `
		CREATE TABLE account (id bigint PRIMARY KEY, balance bigint NOT NULL, token bigint NOT NULL DEFAULT 0);
		CREATE TABLE fence (name text PRIMARY KEY, token bigint NOT NULL);
		INSERT INTO account (id, balance) VALUES (7, 100)`)
	if err != nil {
		t.Fatal(err)
	}
	make := func() *manager.Manager {
		b, err := postgres.New(db)
		if err != nil {
			t.Fatal(err)
		}
		m, err := manager.New(b)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close(context.Background()) })
		return m
	}
	return db, make(), make()
}

// taken returns a lease of east that west has taken over, and the lease of west.
func taken(t *testing.T, east, west *manager.Manager) (stale, lease *manager.Lease) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stale, err := east.Lock("account/7").Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := west.Break(ctx, "account/7"); err != nil {
		t.Fatal(err)
	}
	lease, err = west.Lock("account/7").Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = stale.Release(), lease.Release() })
	return stale, lease
}

func balance(t *testing.T, db *pgxpool.Pool) (n int64) {
	t.Helper()
	if err := db.QueryRow(t.Context(), `SELECT balance FROM account WHERE id = 7`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAStaleHolderCannotLoadNorSave(t *testing.T) {
	t.Parallel()
	db, east, west := accounts(t)
	stale, lease := taken(t, east, west)
	ctx := t.Context()
	was, err := load(ctx, db, 7, stale.Token()) // before the later holder has come
	if was != 100 || err != nil {
		t.Fatal(was, err)
	}
	if was, err = load(ctx, db, 7, lease.Token()); was != 100 || err != nil {
		t.Fatal(was, err)
	}
	if err := save(ctx, db, 7, was-100, stale.Token()); !errors.Is(err, errStale) {
		t.Errorf("save by the stale holder, before the later one has saved: %v; want errStale", err)
	}
	if err := save(ctx, db, 7, was-30, lease.Token()); err != nil {
		t.Error(err)
	}
	if err := save(ctx, db, 7, was-40, lease.Token()); err != nil {
		t.Errorf("a holder's second save: %v", err)
	}
	if _, err := load(ctx, db, 7, stale.Token()); !errors.Is(err, errStale) {
		t.Errorf("load by the stale holder: %v; want errStale", err)
	}
	if got := balance(t, db); got != 60 {
		t.Errorf("balance %d; want 60", got)
	}
}

func TestAStaleHolderCannotBook(t *testing.T) {
	t.Parallel()
	db, east, west := accounts(t)
	stale, lease := taken(t, east, west)
	if err := book(t.Context(), db, stale, 7, -100); !errors.Is(err, manager.ErrLost) {
		t.Errorf("%v; want ErrLost", err)
	}
	if err := book(t.Context(), db, lease, 7, -30); err != nil {
		t.Error(err)
	}
	if got := balance(t, db); got != 70 {
		t.Errorf("balance %d; want 70", got)
	}
}

func TestAStaleHolderCannotEnter(t *testing.T) {
	t.Parallel()
	db, east, west := accounts(t)
	stale, lease := taken(t, east, west)
	within := func(l *manager.Lease) error {
		return pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error { return enter(t.Context(), tx, l) })
	}
	for _, l := range []*manager.Lease{stale, lease, lease} {
		if err := within(l); err != nil {
			t.Error(err)
		}
	}
	if err := within(stale); !errors.Is(err, errStale) {
		t.Errorf("after the later holder: %v; want errStale", err)
	}
}
