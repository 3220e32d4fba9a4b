package databases

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/leases"
	"github.com/lockkeeper/lockkeeper/manager"
)

// The baselines: two statements are the least that a lock in a database can do.
const (
	empty   = "two calls of an empty function"
	written = "an update of one row, flushed, and an empty function"
)

// loop is what a counted side does n times.
type loop = func(ctx context.Context, n int) error

// alone is a name that nobody else wants, for leases of a time to live. Longer ones than the pause
// are flushed when they are granted; releases never are.
func (e *env) alone(ttl, flushed string) harness.Case {
	what := "Acquire + Release, " + flushed
	s := e.spec(ours)
	s.TTL = ttl
	peers := []string{clients.Advisory, clients.PgLock, clients.River}
	c := harness.Case{
		Name:   "uncontended, leases of " + ttl + ": " + flushed,
		Models: "a job that nobody else wants to do now",
		Missed: "Two functions that write one row each already cost 1.9 times the empty ones. One row for name and request would be " +
			"needed, and callers that run their statement themselves (docs/internals/postgres.md)",
		Sides: []harness.Side{
			{Name: ours, Run: e.counted(ours, e.library(s))},
			{Name: empty, Run: e.counted(empty, e.calls("SELECT nothing()", "SELECT nothing()"))},
			{Name: written, Run: e.counted(written, e.calls("SELECT something()", "SELECT nothing()"))},
		},
		Checks: []harness.Check{
			{What: what, Metric: "least ns/op", Ours: ours, Base: []string{empty}, Bound: 2.5, Minimum: true},
			{What: what, Metric: "ns/op", Ours: ours, Base: []string{empty}, NoTarget: true},
			{What: what + ", statements", Metric: "statements/op", Ours: ours, Bound: 2.02},
		},
	}
	if flushed == "flushed" {
		c.Checks = append(c.Checks, harness.Check{
			What: what, Metric: "least ns/op", Ours: ours, Base: []string{written}, Minimum: true, NoTarget: true})
	}
	for _, p := range peers {
		c.Sides = append(c.Sides, harness.Side{Name: p, Run: e.counted(p, e.library(e.spec(p)))})
		c.Checks = append(c.Checks, harness.Check{
			What: what + ", beside " + p, Metric: "least ns/op", Ours: ours, Base: []string{p}, Minimum: true, NoTarget: true})
	}
	return c
}

// counted adds the statements of an operation that the server has counted.
func (e *env) counted(side string, of harness.Body) run {
	read := func(ctx context.Context) (int64, error) { return e.sent(ctx, side) }
	return harness.Around(of, read, func(m harness.Metrics, before, after int64, ops float64) {
		m["statements/op"] = float64(after-before) / ops
	})
}

// library acquires and releases a lock of its own.
func (e *env) library(s clients.Spec) func(context.Context, *int) (loop, func() error, error) {
	return func(ctx context.Context, ops *int) (loop, func() error, error) {
		loop, shut, err := clients.Loop(ctx, s)
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, n int) error {
			*ops += n
			return loop(ctx, n)
		}, shut, nil
	}
}

// calls sends statements, each in a transaction of its own, over a pool as ours does.
func (e *env) calls(statements ...string) func(context.Context, *int) (loop, func() error, error) {
	return func(ctx context.Context, ops *int) (loop, func() error, error) {
		pool, err := pgxpool.New(ctx, e.dsn)
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, n int) error {
			*ops += n
			var got int64
			for range n {
				for _, sql := range statements {
					if err := pool.QueryRow(ctx, sql).Scan(&got); err != nil {
						return err
					}
				}
			}
			return nil
		}, func() error { pool.Close(); return nil }, nil
	}
}

// tenNames is All of ten names beside one.
func (e *env) tenNames() harness.Case {
	of := func(body func(context.Context, *manager.Manager, string, int) error) run {
		s := e.spec(ours)
		return e.counted(ours, func(_ context.Context, ops *int) (loop, func() error, error) {
			m, shut, err := clients.Manager(s)
			if err != nil {
				return nil, nil, err
			}
			return func(ctx context.Context, n int) error {
				*ops += n
				return body(ctx, m, s.Name, n)
			}, shut, nil
		})
	}
	c := leases.TenNames(
		harness.Side{Name: leases.Ten, Run: of(leases.LoopTen)}, harness.Side{Name: leases.One, Run: of(leases.Loop)}, 3,
		"Each name has a row, and each request another (docs/internals/postgres.md)")
	c.Checks = append(c.Checks,
		harness.Check{What: leases.Ten + ", of minima", Metric: "least ns/op", Ours: leases.Ten, Base: []string{leases.One}, Bound: 3, Minimum: true},
		harness.Check{What: leases.Ten + ", statements", Metric: "statements/op", Ours: leases.Ten, Bound: 2.02})
	return c
}
