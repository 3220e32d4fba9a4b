package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/internal/tickettest"
	"github.com/lockkeeper/lockkeeper/manager"
)

var proof = backends.Proof{1, 2, 3, 31: 4}

func detachment(g backends.Grant) backends.Detachment {
	return backends.Detachment{Grant: g, Token: g.Token, TTL: time.Minute, Proof: proof}
}

func adoption(g backends.Grant) backends.Adoption {
	return backends.Adoption{ID: g.ID, Proof: proof, Request: mutex(g.Resource.Name, time.Minute)}
}

func (b *bed) detach(c *postgres.Backend, g backends.Grant) backends.Grant {
	b.Helper()
	if err := c.Detach(b.ctx, detachment(g)); err != nil {
		b.Fatalf("Detach: %v", err)
	}
	return g
}

func (b *bed) adopt(c *postgres.Backend, g backends.Grant) backends.Grant {
	b.Helper()
	n, err := c.Adopt(b.ctx, adoption(g))
	if err != nil {
		b.Fatalf("Adopt: %v", err)
	}
	if n.Token != g.Token {
		b.Errorf("token %d; want %d", n.Token, g.Token)
	}
	return n
}

// proxied returns a backend that sends the text of each statement through a proxy.
func (b *bed) proxied(t testing.TB) (*postgres.Backend, *redistest.Proxy) {
	p := (&redistest.Server{Addr: b.server.Addr}).NewProxy(t)
	return b.of(t, b.pool(t, p.Addr, unprepared)), p
}

// once judges the first request that has the word.
func once(word string, verdict func() redistest.Verdict) func([]byte) redistest.Verdict {
	var done atomic.Bool
	return func(b []byte) redistest.Verdict {
		if bytes.Contains(b, []byte(word)) && done.CompareAndSwap(false, true) {
			return verdict()
		}
		return redistest.Pass
	}
}

func dropReply() redistest.Verdict { return redistest.DropReply }

// An adoption or a detachment whose answer was lost is repeated, and finds that it is done.
func TestLostReplyOfADetachmentOrAnAdoption(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	c, p := b.proxied(t)
	other := b.through(t, b.server.Addr)
	g := b.detach(other, b.acquire(other, mutex("n", time.Minute)))
	p.Judge(once(".adopt(", dropReply))
	n := b.adopt(c, g)
	if _, err := c.Adopt(b.ctx, adoption(g)); !errors.Is(err, backends.ErrTicket) {
		t.Errorf("Adopt with a ticket used before: %v; want ErrTicket", err)
	}
	if r := c.Renew(b.ctx, []backends.Renewal{{Grant: n, TTL: time.Minute}})[0]; r.Err != nil {
		t.Errorf("Renew: %v", r.Err)
	}
	p.Judge(once(".detach(", dropReply))
	b.detach(c, n)
	if err := backends.Release(b.ctx, c, n); !errors.Is(err, backends.ErrLost) {
		t.Errorf("Release of a detached grant: %v; want ErrLost", err)
	}
	b.release(other, b.adopt(other, n))
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
}

// An adoption whose caller has gone has no effect when it comes late, and is given back if it had
// one.
func TestAdoptionWhoseCallerHasGone(t *testing.T) {
	t.Parallel()
	for what, late := range map[string]bool{"the statement comes late": true, "the answer is lost": false} {
		t.Run(strings.ReplaceAll(what, " ", "-"), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, server.Get(t))
			c, p := b.proxied(t)
			other := b.through(t, b.server.Addr)
			g := b.detach(other, b.acquire(other, mutex("n", time.Minute)))
			ctx, cancel := context.WithCancel(b.ctx)
			arrive, arrived := make(chan struct{}), make(chan struct{})
			p.Judge(once(".adopt(", func() redistest.Verdict {
				defer close(arrived)
				cancel()
				if !late {
					return redistest.DropReply
				}
				<-arrive
				return redistest.Pass
			}))
			if n, err := c.Adopt(ctx, adoption(g)); !errors.Is(err, context.Canceled) {
				t.Fatalf("Adopt = %+v, %v; want context.Canceled", n, err)
			}
			if !late {
				b.release(other, b.acquire(other, mutex("n", time.Minute))) // long before its time is over
				return
			}
			b.until("the adoption is forbidden", func() bool { return b.forbidden() == 2 }) // and the acquire, by Detach
			close(arrive)
			<-arrived
			n := b.adopt(other, g)
			if r := other.Renew(b.ctx, []backends.Renewal{{Grant: n, TTL: time.Minute}})[0]; r.Err != nil {
				t.Errorf("Renew: %v", r.Err)
			}
			b.release(other, n)
		})
	}
}

// forbidden counts the requests that are to have no effect.
func (b *bed) forbidden() (n int) {
	b.Helper()
	if err := b.conn.QueryRow(b.ctx, "SELECT count(*) FROM "+b.schema+".requests WHERE place = 0").Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// A copy of the acquire that comes late must not bring the grant to its old client again.
func TestDetachedGrantWhoseAcquireComesLate(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	c, p := b.proxied(t)
	other := b.through(t, b.server.Addr)
	var swallowed atomic.Bool
	p.Judge(once(".take(", func() redistest.Verdict {
		swallowed.Store(true)
		return redistest.Swallow
	}))
	w := b.start(c, mutex("n", time.Minute))
	b.until("the acquire is swallowed", swallowed.Load)
	p.CutAll()
	g := b.detach(c, w.granted())
	n := b.adopt(other, g)
	late := b.late(g)
	if late[1] != 3 {
		t.Errorf("a late copy of the acquire is answered %v; want 3, given up", late)
	}
	b.release(other, n)
	if late := b.late(g); late[1] != 3 {
		t.Errorf("a late copy of the acquire, after the release, is answered %v; want 3, given up", late)
	}
}

// late sends the acquire of a grant once more.
func (b *bed) late(g backends.Grant) (answer []int64) {
	b.Helper()
	err := b.conn.QueryRow(b.ctx, "SELECT answer FROM "+b.schema+".op($1, 1000000, true, $2, '{}', $3, $4)", int64(g.ID.Client),
		[][]byte{[]byte(g.Resource.Name)}, []int64{1, int64(g.ID.Seq), 1, 1, 1, 1, 60e6, 60e6, 0, 0}, [][]byte{{}}).Scan(&answer)
	if err != nil {
		b.Fatal(err)
	}
	return answer
}

// A client that closes while it adopts gives the grant back, or the ticket stays good.
func TestCloseBesideAdopt(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	c, p := b.proxied(t)
	other := b.through(t, b.server.Addr)
	g := b.detach(other, b.acquire(other, mutex("n", time.Minute)))
	closed := make(chan error, 1)
	p.Judge(once(".adopt(", func() redistest.Verdict {
		go func() { closed <- c.Close(b.ctx) }()
		b.until("it closes", func() bool { _, err := c.Inspect(b.ctx, "n"); return errors.Is(err, backends.ErrClosed) })
		return redistest.Pass
	}))
	n, err := c.Adopt(b.ctx, adoption(g))
	if e := <-closed; e != nil {
		t.Errorf("Close: %v", e)
	}
	if err == nil || errors.Is(err, backends.ErrTicket) {
		t.Errorf("Adopt = %+v, %v; want an error", n, err)
	}
	if n, err := other.Adopt(b.ctx, adoption(g)); err == nil {
		b.release(other, n)
	} else if !errors.Is(err, backends.ErrTicket) {
		t.Errorf("Adopt afterwards: %v", err)
	}
	b.release(other, b.acquire(other, mutex("n", time.Minute)))
}

// A transaction that Fence has checked holds up the detachment, and the detachment nobody else.
func TestDetachWaitsForAFencedTransaction(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	x, y := b.through(t, b.server.Addr), b.through(t, b.server.Addr)
	g := b.acquire(x, mutex("n", time.Minute))
	tx := b.begin(pgx.ReadCommitted)
	if err := b.fence(tx, g); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- x.Detach(b.ctx, detachment(g)) }()
	for range 10 {
		if _, err := backends.TryAcquire(b.ctx, y, mutex("n", time.Minute)); !errors.Is(err, backends.ErrBusy) {
			t.Errorf("TryAcquire: %v; want ErrBusy", err)
		}
	}
	select {
	case err := <-ended:
		t.Errorf("Detach beside a fenced transaction: %v; want it to wait", err)
	default:
	}
	if err := tx.Commit(b.ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("Detach: %v", err)
	}
	tx = b.begin(pgx.ReadCommitted)
	if err := b.fence(tx, g); !errors.Is(err, backends.ErrLost) {
		t.Errorf("Fence of a detached lease: %v; want ErrLost", err)
	}
	_ = tx.Rollback(b.ctx)
	n := b.adopt(y, g)
	tx = b.begin(pgx.ReadCommitted)
	if err := b.fence(tx, n); err != nil {
		t.Errorf("Fence of an adopted lease: %v", err)
	}
	_ = tx.Rollback(b.ctx)
	b.release(y, n)
}

// What was detached or adopted before a crash of the server is so after it: no ticket is good twice.
func TestTicketsSurviveACrashOfTheServer(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	b := newBed(t, s)
	x, y := b.through(t, s.Addr), b.through(t, s.Addr)
	r := mutex("used", 4*time.Second) // not longer than the pause: its acquire is not flushed
	used := b.detach(x, b.acquire(x, r))
	b.adopt(y, used)
	kept := b.detach(x, b.acquire(x, mutex("kept", time.Minute)))
	s.Restart(t)
	restarted := time.Now()
	b.conn = b.connect()
	var n backends.Grant
	b.until("the pause is over", func() bool {
		var err error
		n, err = y.Adopt(b.ctx, adoption(kept))
		if err != nil && !errors.Is(err, backends.ErrUnavailable) {
			t.Fatalf("Adopt after a crash: %v", err)
		}
		return err == nil
	})
	if time.Since(restarted) < 4*time.Second { // a standby that was promoted may have lost an adoption
		t.Error("adopted within the pause")
	}
	if _, err := x.Adopt(b.ctx, adoption(used)); !errors.Is(err, backends.ErrTicket) {
		t.Errorf("Adopt with a ticket used before the crash: %v; want ErrTicket", err)
	}
	b.release(y, n)
}

// passer is a helper process of tickettest: args DSN, schema, time to live.
func passer(c *proctest.Child) error {
	ttl, err := time.ParseDuration(c.Args[2])
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(context.Background(), c.Args[0])
	if err != nil {
		return err
	}
	defer pool.Close()
	m, err := jobs(pool, c.Args[1], ttl)
	if err != nil {
		return err
	}
	return tickettest.Serve(c, m, ttl)
}

func jobs(pool *pgxpool.Pool, schema string, ttl time.Duration) (*manager.Manager, error) {
	b, err := postgres.New(pool, postgres.WithSchema(schema))
	if err != nil {
		return nil, err
	}
	return manager.New(b, manager.WithTTL(ttl))
}

func TestLeaseGoesFromProcessToProcess(t *testing.T) {
	t.Parallel()
	tickettest.Test(t, func(ttl time.Duration) (*manager.Manager, func() *proctest.Process) {
		b := newBed(t, server.Get(t))
		m, err := jobs(b.pool(t, b.server.Addr, nil), b.schema, ttl)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		return m, func() *proctest.Process {
			return proctest.Start(t, "passer", b.server.DSN("postgres"), b.schema, ttl.String())
		}
	})
}
