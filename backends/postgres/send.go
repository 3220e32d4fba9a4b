package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	callTime   = 10 * time.Second // bounds a statement, its repetitions and the wait for a connection
	callMost   = 4                // how often a statement is sent that failed for a passing reason
	callPause  = 20 * time.Millisecond
	callFactor = 3 // of the pause, from one repetition to the next
)

// answer is what a function has returned.
type answer struct {
	numbers []int64
	owner   []byte    // of the holder of a busy name, if the function tells it
	sent    time.Time // before the statement was sent that was answered
	unsure  bool      // a copy of the statement got no answer: it may have run, or may still run
	void    bool      // it was not sent
	err     error     // classified
}

// ask calls a function that returns numbers. The statement is repeated for a passing reason:
// repetitions do no harm. A grant is identified by its client's random number and a count, so an
// acquire that is repeated brings the same token, and what is released stays so.
//
// A caller's context never ends a statement, which would cost its connection; the caller just does
// not wait for the answer. Before it is sent, with a connection at hand, may decides whether it
// still should be.
func (b *Backend) ask(limit time.Duration, may func() bool, sql string, args ...any) answer {
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	a := answer{}
	for n, pause := 1, callPause; ; n, pause = n+1, pause*callFactor {
		err := b.attempt(ctx, &a, may, sql, args)
		if err == nil || a.void || n == callMost || !passing(err) || !sleep(ctx, pause) {
			a.err = b.classify(err)
			return a
		}
	}
}

// attempt sends the statement once.
func (b *Backend) attempt(ctx context.Context, a *answer, may func() bool, sql string, args []any) error {
	conn, err := b.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if may != nil && !may() {
		a.void = true
		return nil
	}
	if err := b.check(ctx, conn); err != nil {
		return err
	}
	a.sent = time.Now()
	to := []any{&a.numbers}
	if sql == b.call.op {
		to = append(to, &a.owner)
	}
	err = b.send(ctx, conn, sql, args, to...)
	if err != nil && stateOf(err) == nil && !conn.Conn().IsClosed() {
		err = fmt.Errorf("%w: %w", errReply, err) // the connection is whole
	}
	a.unsure = a.unsure || mayHaveRun(err)
	return err
}

// check looks once whether the schema has our format.
func (b *Backend) check(ctx context.Context, conn *pgxpool.Conn) error {
	if b.checked.Load() {
		return nil
	}
	var have int
	if err := conn.QueryRow(ctx, b.call.format).Scan(&have); err != nil {
		return err
	}
	if have != format {
		return &SchemaError{Schema: b.opt.schema, Have: have, Want: format}
	}
	b.checked.Store(true)
	return nil
}

// send sends the statement. A connection to a server that takes no writes is closed: the address may
// lead to another one by now, which the next attempt dials.
func (b *Backend) send(ctx context.Context, conn *pgxpool.Conn, sql string, args []any, to ...any) error {
	err := b.execute(ctx, conn, sql, args, to)
	if readOnly(err) {
		_ = conn.Conn().Close(ctx) // it is of no use whatever becomes of this
	}
	return err
}

// execute sends the statement, in a transaction of its own if the sessions' isolation is not that which
// our functions need: they tell, once.
func (b *Backend) execute(ctx context.Context, conn *pgxpool.Conn, sql string, args, to []any) error {
	if !b.begins.Load() {
		err := conn.QueryRow(ctx, sql, args...).Scan(to...)
		if said := stateOf(err); said == nil || said.Code != stateIsolation {
			return err
		}
		b.begins.Store(true)
	}
	return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, sql, args...).Scan(to...)
	})
}

// longer returns the pause before the next attempt of what goes on until it is answered, after the
// last pause, or none.
func longer(pause time.Duration) time.Duration {
	const first, most = 100 * time.Millisecond, time.Second
	return min(max(2*pause, first), most)
}

// sleep waits for about d, and reports false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d/2 + rand.N(d))
	defer t.Stop()
	select { // a tie does not matter: a statement whose ctx has ended is not sent
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// askOne calls a function that returns one number, once.
func (b *Backend) askOne(to *int64, sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(b.ctx, callTime)
	defer cancel()
	conn, err := b.pool.Acquire(ctx)
	if err != nil {
		return b.classify(err)
	}
	defer conn.Release()
	if err := b.check(ctx, conn); err != nil {
		return b.classify(err)
	}
	return b.classify(b.send(ctx, conn, sql, args, to))
}
