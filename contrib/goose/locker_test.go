package lkgoose

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/lockkeeper/lockkeeper/internal/managertest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

// An as says how the provider is given its locker.
type as func(*Locker) goose.ProviderOption

func locker(l *Locker) goose.ProviderOption        { return goose.WithLocker(l) }
func sessionLocker(l *Locker) goose.ProviderOption { return goose.WithSessionLocker(l) }

// migrate brings the database up to date as a process of its own does.
func migrate(
	t *testing.T, dsn string, c manager.Claim, as as, steps ...func(context.Context, *sql.Tx) error,
) error {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	var migrations []*goose.Migration
	for i, step := range steps {
		migrations = append(migrations, goose.NewGoMigration(int64(i+1), &goose.GoFunc{RunTx: step}, nil))
	}
	l, ctx, cancel := New(t.Context(), c)
	defer cancel()
	p, err := goose.NewProvider(goose.DialectPostgres, db, nil, as(l),
		goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(migrations...))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// tables counts the tables of the database with the name.
func tables(t *testing.T, dsn, name string) (n int) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.QueryRowContext(t.Context(), "select count(*) from pg_tables where tablename = $1", name).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMigrationsOfThreeProcessesAtOnceRunOnce(t *testing.T) {
	dsn, s := database.Get(t).Database(t), server.Get(t)
	prefix := s.Prefix()
	observer := managertest.Redis(t, s, prefix)
	var ran atomic.Int32
	create := func(ctx context.Context, tx *sql.Tx) error {
		ran.Add(1)
		for { // until the others wait
			state, err := observer.Inspect(ctx, "migrate")
			if err != nil || len(state.Waiters) == 2 {
				_, e := tx.ExecContext(ctx, "create table a (n int)")
				return errors.Join(err, e)
			}
		}
	}
	fill := func(ctx context.Context, tx *sql.Tx) error {
		ran.Add(1)
		_, err := tx.ExecContext(ctx, "insert into a values (1)")
		return err
	}
	ended := make(chan error)
	for _, as := range []as{locker, sessionLocker, sessionLocker} {
		m := managertest.Redis(t, s, prefix)
		go func() { ended <- migrate(t, dsn, m.Lock("migrate"), as, create, fill) }()
	}
	for range 3 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if n := ran.Load(); n != 2 {
		t.Errorf("%d migrations have run", n)
	}
}

func TestALossDuringAMigrationEndsAndUndoesIt(t *testing.T) {
	for _, as := range []as{locker, sessionLocker} {
		wantUndoneByLoss(t, as)
	}
}

func wantUndoneByLoss(t *testing.T, as as) {
	t.Helper()
	dsn, m := database.Get(t).Database(t), managertest.Memory(t)
	err := migrate(t, dsn, m.Lock("migrate"), as, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "create table a (n int)"); err != nil {
			t.Error(err)
		}
		if err := m.Break(context.Background(), "migrate"); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), manager.ErrLost) {
			t.Error(context.Cause(ctx))
		}
		return nil
	})
	var lost *manager.LostError
	if !errors.As(err, &lost) || lost.Reason != manager.Broken {
		t.Error(err)
	}
	if tables(t, dsn, "a") != 0 {
		t.Error("the table is there")
	}
}

func TestNothingIsMigratedWhileTheStoreIsOutOfReach(t *testing.T) {
	dsn, s := database.Get(t).Database(t), redistest.Start(t)
	m := managertest.Redis(t, s, s.Prefix())
	s.Kill()
	for _, as := range []as{locker, sessionLocker} {
		err := migrate(t, dsn, m.Lock("migrate"), as, func(context.Context, *sql.Tx) error {
			t.Error("it runs")
			return nil
		})
		if !errors.Is(err, manager.ErrUnavailable) {
			t.Error(err)
		}
	}
}

func TestALockerCanBeUsedAgain(t *testing.T) {
	m := managertest.Memory(t)
	l, ctx, cancel := New(t.Context(), m.Lock("migrate"))
	defer cancel()
	for range 3 {
		if err := l.Lock(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if err := l.Unlock(ctx, nil); err != nil {
			t.Error(err)
		}
	}
	if err := l.Unlock(ctx, nil); !errors.Is(err, manager.ErrReleased) {
		t.Error(err)
	}
	if err := ctx.Err(); err != nil {
		t.Error(err)
	}
}
