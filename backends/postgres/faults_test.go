package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/backendtest"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// With heartbeats alone everything works, only later; but nobody hears of tries, so the clauses of
// these events cannot hold.
func TestContractWithoutListener(t *testing.T) {
	t.Parallel()
	tries := []string{"Events/Tried", "Several/TryTouchesNobody"}
	runClauses(t, func(t testing.TB) backendtest.Env {
		e := contractEnv(t, postgres.WithoutListener())
		e.Rounds = 20 // each hand-off takes a heartbeat
		return e
	}, tries, "Queue/ReadersEnterTogether", "Cancel/LeavesNothing", "Events/Contended", "Break/EndsGrants",
		"Several/GrantedOneByOne", "Expiry/FreesWhatIsNotRenewed", "Expiry/BriefAtFirst", "Detach")
}

// In transaction mode each statement may run on another connection, and LISTEN goes round the pooler.
func TestContractBehindPgBouncer(t *testing.T) {
	t.Parallel()
	s := server.Get(t)
	addr := s.Bouncer(t)
	direct, err := pgx.ParseConfig(s.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	runClauses(t, func(t testing.TB) backendtest.Env {
		b := newBed(t, s)
		return backendtest.Env{
			TTL: 300 * time.Millisecond, Rounds: 20,
			Open: func(t testing.TB) backends.Backend {
				c := b.of(t, b.pool(t, addr, unprepared), postgres.WithListener(direct))
				c.Await()
				return c
			},
			Listens: b.listens,
			Crash:   func(t testing.TB, b backends.Backend) { b.(*postgres.Backend).Crash() },
		}
	}, nil, "Exclusion/Semaphore", "Queue/FIFO", "Cancel/LeavesNothing", "Renew/Batch", "Events/Contended",
		"Several/GrantedOneByOne", "Break/EndsGrants", "Expiry/FreesWhatIsNotRenewed", "Crash/Waiter",
		"Storm/Operations", "Detach", "Crash/SparesDetached", "Expiry/AdoptedFromBeforeTheRequest")
}

// unprepared makes statements that a pooler without knowledge of prepared statements can take.
func unprepared(cfg *pgxpool.Config) { cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec }

// A pooler takes LISTEN and delivers nothing. The client finds that out, and its heartbeat does.
func TestAPoolerThatSwallowsMessagesDelaysOnly(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	addr := b.server.Bouncer(t)
	beat := postgres.WithHeartbeat(100 * time.Millisecond)
	x, y := b.of(t, b.pool(t, addr, unprepared), beat), b.of(t, b.pool(t, addr, unprepared), beat)
	for range 5 {
		g := b.acquire(x, mutex("n", time.Minute))
		w := b.queue(y, mutex("n", time.Minute))
		b.release(x, g)
		b.release(y, w.granted())
	}
}

// terminate ends all sessions but the bed's own, those that listen as well.
func (b *bed) terminate() {
	b.Helper()
	b.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity " +
		"WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
}

// Each step survives the end of every session: a new connection repeats what got no answer.
func TestTerminatedSessionsLoseNothing(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	b := newBed(t, s)
	x, y := b.through(t, s.Addr), b.through(t, s.Addr)
	for range 5 {
		g := b.acquire(x, mutex("n", time.Minute))
		b.terminate()
		w := b.queue(y, mutex("n", time.Minute))
		b.terminate()
		if r := x.Renew(b.ctx, []backends.Renewal{{Grant: g, TTL: time.Minute, Tokens: 1}})[0]; r.Err != nil {
			t.Errorf("Renew: %v", r.Err)
		}
		b.terminate()
		b.release(x, g)
		h := w.granted()
		if h.Token <= g.Token {
			t.Errorf("token %d after %d", h.Token, g.Token)
		}
		b.terminate()
		b.release(y, h)
	}
}

// Sessions end at any time while many use the locks: nothing is granted twice, nothing is left.
func TestSessionsTerminatedAtAnyTime(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	b := newBed(t, s)
	hit, ended := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for range hit {
			b.terminate()
		}
	}()
	holders := 0 // guarded by the lock
	last := uint64(0)
	done := make(chan error)
	const clients, rounds = 4, 5
	for range clients {
		c := b.through(t, s.Addr)
		go func() {
			done <- func() error {
				for n := 0; n < rounds; {
					g, err := backends.Acquire(b.ctx, c, mutex("n", time.Minute))
					if errors.Is(err, backends.ErrUnavailable) {
						continue // all attempts were hit
					} else if err != nil {
						return err
					}
					if holders++; holders != 1 || g.Token <= last {
						return errors.New("two holders, or an older token")
					}
					last = g.Token
					holders--
					select {
					case hit <- struct{}{}:
					default: // the last hit is not over yet
					}
					if err := backends.Release(b.ctx, c, g); err != nil && !errors.Is(err, backends.ErrUnavailable) {
						return err
					}
					n++
				}
				return nil
			}()
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	close(hit)
	<-ended
}

// After a crash nothing is granted for the pause; a waiter finds its place again, or a new one; a
// grant that was flushed is kept.
func TestImmediateStopAndRestart(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	b := newBed(t, s)
	x, y := b.through(t, s.Addr), b.through(t, s.Addr)
	g := b.acquire(x, mutex("n", time.Minute)) // longer than the pause: flushed
	w := b.queue(y, mutex("n", time.Minute))
	s.Restart(t)
	restarted := time.Now()
	b.conn = b.connect()
	if r := b.renewed(x, g); r.Err != nil {
		t.Fatalf("Renew of a flushed grant after a crash: %v", r.Err)
	}
	_, err := backends.TryAcquire(b.ctx, x, mutex("other", time.Minute))
	if err == nil && time.Since(restarted) < 4*time.Second {
		t.Error("granted within the pause")
	} else if err != nil && !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("a try within the pause: %v; want ErrUnavailable", err)
	}
	b.until("the waiter is queued again", func() bool { return b.waiters("n") == 1 })
	b.until("the release is confirmed", func() bool { return !errors.Is(backends.Release(b.ctx, x, g), backends.ErrUnavailable) })
	h := w.granted()
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	b.release(y, h)
}

// renewed renews until the server answers.
func (b *bed) renewed(c *postgres.Backend, g backends.Grant) (r backends.Renewed) {
	b.until("Renew answers", func() bool {
		r = c.Renew(b.ctx, []backends.Renewal{{Grant: g, TTL: time.Minute}})[0]
		return !errors.Is(r.Err, backends.ErrUnavailable)
	})
	return r
}

// A grant that was not used is released after an outage that outlasts its time to live, although its
// permits would stay taken for longer.
func TestAnUnusedGrantIsReleasedAfterALongOutage(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	p := (&redistest.Server{Addr: b.server.Addr}).NewProxy(t)
	x, y := b.through(t, p.Addr), b.through(t, b.server.Addr)
	r := mutex("n", 300*time.Millisecond)
	r.AtLeast = time.Hour
	var g backends.Grant
	b.until("an answer comes within the time to live", func() bool {
		var err error
		if g, err = backends.Acquire(b.ctx, x, r); err != nil && !errors.Is(err, backends.ErrUnavailable) {
			t.Fatalf("Acquire: %v", err)
		}
		return err == nil
	})
	var tried atomic.Int64
	p.Judge(func([]byte) redistest.Verdict {
		tried.Add(1)
		return redistest.Cut
	})
	g.AtLeast = 0
	if err := backends.Release(b.ctx, x, g); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("a release that no server has seen: %v; want ErrUnavailable", err)
	}
	b.until("the time to live is over", func() bool {
		_, err := backends.TryAcquire(b.ctx, y, mutex("n", time.Minute))
		if !errors.Is(err, backends.ErrBusy) {
			t.Fatalf("TryAcquire: %v; want ErrBusy", err)
		}
		s, err := y.Inspect(b.ctx, "n")
		return err == nil && len(s.Holders) == 1 && s.Holders[0].Kept > 0
	})
	since := tried.Load()
	const attempts = 3 * 4 // each is sent four times at most
	b.until("attempts go on", func() bool {
		_ = b.waiters("n")
		return tried.Load() > since+attempts
	})
	p.Judge(nil)
	b.until("the name is free", func() bool {
		h, err := backends.TryAcquire(b.ctx, y, mutex("n", time.Minute))
		if err == nil {
			b.release(y, h)
		}
		return err == nil
	})
}

// A grant whose answer comes when it has ended is released, although its permits would stay taken.
func TestAGrantThatComesTooLateIsReleased(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	p := (&redistest.Server{Addr: b.server.Addr}).NewProxy(t)
	x, y := b.through(t, p.Addr), b.through(t, b.server.Addr)
	r := mutex("n", 100*time.Millisecond)
	r.AtLeast = time.Hour
	b.release(x, b.acquire(x, mutex("warm", time.Minute)))
	p.Delay(0, 4*r.TTL)
	if _, err := backends.Acquire(b.ctx, x, r); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("Acquire: %v; want ErrUnavailable", err)
	}
	p.Delay(0, 0)
	b.release(y, b.acquire(y, mutex("n", time.Minute)))
}

// A statement that the server cancels fails, definitely, and leaves nothing.
func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	impatient := func(cfg *pgxpool.Config) { cfg.ConnConfig.RuntimeParams["statement_timeout"] = "200" }
	c, d := b.of(t, b.pool(t, b.server.Addr, impatient)), b.through(t, b.server.Addr)
	b.release(d, b.acquire(d, mutex("n", time.Minute)))
	tx := b.begin(pgx.ReadCommitted)
	if _, err := tx.Exec(b.ctx, "SELECT FROM "+b.schema+".names FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	if _, err := backends.Acquire(b.ctx, c, mutex("n", time.Minute)); !errors.Is(err, backends.ErrUnavailable) ||
		!strings.Contains(err.Error(), "statement timeout") {
		t.Errorf("Acquire: %v; want ErrUnavailable that says why", err)
	}
	if err := tx.Rollback(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.release(d, b.acquire(d, mutex("n", time.Minute)))
}

func TestAPoolOfOneIsEnough(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	one := func(cfg *pgxpool.Config) { cfg.MaxConns = 1 }
	x, y := b.of(t, b.pool(t, b.server.Addr, one)), b.of(t, b.pool(t, b.server.Addr, one))
	g := b.acquire(x, mutex("n", time.Minute))
	var line []*waiting
	for range 5 {
		line = append(line, b.queue(y, mutex("n", time.Minute)))
	}
	b.release(x, g)
	for _, w := range line {
		b.release(y, w.granted())
	}
}

// A pool that its owner closes first ends every call with ErrClosed, and Close does not hang.
func TestAPoolThatIsClosedFirst(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	pool := b.pool(t, b.server.Addr, nil)
	c, err := postgres.New(pool, postgres.WithSchema(b.schema))
	if err != nil {
		t.Fatal(err)
	}
	g := b.acquire(c, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	pool.Close()
	<-w.ended
	if !errors.Is(w.err, backends.ErrClosed) {
		t.Errorf("the waiter: %v; want ErrClosed", w.err)
	}
	if _, err := backends.TryAcquire(b.ctx, c, mutex("m", time.Minute)); !errors.Is(err, backends.ErrClosed) {
		t.Errorf("TryAcquire: %v; want ErrClosed", err)
	}
	if err := backends.Release(b.ctx, c, g); !errors.Is(err, backends.ErrClosed) {
		t.Errorf("Release: %v; want ErrClosed", err)
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}
