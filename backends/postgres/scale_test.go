package postgres_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
)

// pick returns full with LOCKKEEPER_LONG=1, else brief.
func pick(brief, full int) int {
	if os.Getenv("LOCKKEEPER_LONG") == "1" {
		return full
	}
	return brief
}

// sizes are of the tables and their indexes, in bytes.
type sizes map[string]int64

// sizes looks at names and requests.
func (b *bed) sizes() sizes {
	b.Helper()
	s := sizes{}
	for _, table := range []string{"names", "requests"} {
		var heap, indexes int64
		full := b.schema + "." + table
		if err := b.conn.QueryRow(b.ctx, `SELECT pg_relation_size($1::regclass), sum(pg_relation_size(indexrelid))
			FROM pg_index WHERE indrelid = $1::regclass`, full).
			Scan(&heap, &indexes); err != nil {
			b.Fatal(err)
		}
		s[table], s[table+"' indexes"] = heap, indexes
	}
	return s
}

// used has a client of its own do something, and returns what its statements have read: blocks, and
// scans of whole tables. The end of its sessions reports that.
func (b *bed) used(t *testing.T, do func(c *postgres.Backend)) (blocks, scans int64) {
	t.Helper()
	read := func() (blocks, scans int64) {
		if err := b.conn.QueryRow(b.ctx, `SELECT sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read), sum(seq_scan)
			FROM pg_statio_user_tables JOIN pg_stat_user_tables s USING (relid)
			WHERE s.schemaname = $1 AND s.relname IN ('names', 'requests')`, b.schema).Scan(&blocks, &scans); err != nil {
			t.Fatal(err)
		}
		return blocks, scans
	}
	b.exec("SELECT pg_stat_force_next_flush()")
	named := func(cfg *pgxpool.Config) { cfg.ConnConfig.RuntimeParams["application_name"] = b.schema }
	pool := b.pool(t, b.server.Addr, named)
	c, err := postgres.New(pool, postgres.WithSchema(b.schema))
	if err != nil {
		t.Fatal(err)
	}
	b.exec("SELECT pg_stat_clear_snapshot()")
	blocks, scans = read()
	do(c)
	if err := c.Close(b.ctx); err != nil {
		t.Error(err)
	}
	pool.Close()
	b.until("its sessions have ended", func() bool {
		var n int
		err := b.conn.QueryRow(b.ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", b.schema).Scan(&n)
		return err == nil && n == 0
	})
	after, more := read()
	return after - blocks, more - scans
}

// cycle acquires a name and releases it, n times, with tokens that increase.
func (b *bed) cycle(c *postgres.Backend, name string, n int) {
	b.Helper()
	b.repeat(c, n, func() (backends.Grant, error) { return backends.Acquire(b.ctx, c, mutex(name, time.Minute)) })
}

// tries does so by tries.
func (b *bed) tries(c *postgres.Backend, name string, n int) {
	b.Helper()
	b.repeat(c, n, func() (backends.Grant, error) { return backends.TryAcquire(b.ctx, c, mutex(name, time.Minute)) })
}

func (b *bed) repeat(c *postgres.Backend, n int, acquire func() (backends.Grant, error)) {
	b.Helper()
	var last uint64
	for range n {
		g, err := acquire()
		if err != nil || g.Token <= last {
			b.Fatalf("token %d after %d, %v", g.Token, last, err)
		}
		last = g.Token
		b.release(c, g)
	}
}

// vacuum does what autovacuum does in two of its turns: pages of an index that the first finds empty
// may be used again after the second.
func (b *bed) vacuum() {
	b.Helper()
	for range 2 {
		b.exec("VACUUM lockkeeper.names, lockkeeper.requests")
		b.exec("SELECT txid_current()")
	}
}

// A name that is used very often costs no more room than autovacuum leaves between two of its turns,
// and no statement reads a whole table.
func TestVeryManyCyclesOnOneName(t *testing.T) {
	t.Parallel()                    // it mostly waits
	b := newBed(t, pgtest.Start(t)) // where no other test keeps VACUUM from its work
	b.long()
	parts, each := pick(2, 10), pick(500, 100_000)
	little := int64(pick(1<<16, 1<<20)) // an ANALYZE at the wrong moment keeps dead rows of its time
	var first sizes
	for n := range parts {
		begin := time.Now()
		blocks, scans := b.used(t, func(c *postgres.Backend) { b.cycle(c, "n", each) })
		s := b.sizes()
		t.Logf("%d cycles, %v and %d blocks each; %v", (n+1)*each, time.Since(begin)/time.Duration(each), blocks/int64(each), s)
		if sweeps := int64(time.Since(begin)/time.Minute) * 4; scans > sweeps {
			t.Errorf("%d scans of whole tables; want %d, by sweeps", scans, sweeps)
		}
		if s["names"] > 1<<20 {
			t.Errorf("one name takes %d bytes", s["names"])
		}
		b.vacuum()
		s = b.sizes()
		if n == 0 {
			first = s
		}
		for what, size := range s {
			if size > max(little, 2*first[what]) {
				t.Errorf("%s have grown to %d bytes after a vacuum, from %d", what, size, first[what])
			}
		}
	}
}

// long gives the test as long as LOCKKEEPER_LONG=1 may take.
func (b *bed) long() {
	if os.Getenv("LOCKKEEPER_LONG") == "1" {
		b.ctx = b.Context()
	}
}

// A transaction that keeps VACUUM from its work, and dead rows from being pruned, costs room, a known
// amount for each cycle, and makes each read more blocks. When it has ended the room is used again.
func TestVacuumStarvationCostsRoomAndReads(t *testing.T) {
	t.Parallel()                    // it mostly waits
	b := newBed(t, pgtest.Start(t)) // where no other test keeps VACUUM from its work
	b.long()
	each := pick(400, 2_000)
	b.starve(t, each, func(c *postgres.Backend) { b.cycle(c, "n", each) }) // by take
	b.starve(t, each, func(c *postgres.Backend) { b.tries(c, "t", each) }) // by op
}

func (b *bed) starve(t *testing.T, each int, cycles func(c *postgres.Backend)) {
	t.Helper()
	few, _ := b.used(t, cycles)
	before := b.sizes()
	tx := b.begin(pgx.RepeatableRead)
	if _, err := tx.Exec(b.ctx, "SELECT txid_current()"); err != nil { // has a snapshot from now on
		t.Fatal(err)
	}
	var many int64
	for range 2 {
		many, _ = b.used(t, cycles)
		b.exec("VACUUM lockkeeper.names, lockkeeper.requests") // in vain
	}
	starved := b.sizes()
	t.Logf("%d cycles: %d blocks each, starved %d; %v, starved %v", each, few/int64(each), many/int64(each), before, starved)
	for what, size := range starved {
		if more := (size - before[what]) / int64(2*each); more > 1024 {
			t.Errorf("%s have grown by %d bytes for each cycle", what, more)
		}
	}
	const perBlock = 18 // each cycle reads the dead rows of its name twice
	if dead := int64(2 * each); many/int64(each) > few/int64(each)+dead/perBlock {
		t.Errorf("a cycle reads %d blocks, and %d with %d dead rows", few/int64(each), many/int64(each), dead)
	}
	if err := tx.Rollback(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.vacuum()
	b.used(t, cycles)
	for what, size := range b.sizes() {
		if size > starved[what] {
			t.Errorf("%s grow on when vacuum works again: %d bytes, were %d", what, size, starved[what])
		}
	}
}

// Names that were used once are forgotten by the sweep, and the room they took is free again, that of
// indexes for the next names.
func TestVeryManyNamesUsedOnce(t *testing.T) {
	t.Parallel()                    // it mostly waits
	b := newBed(t, pgtest.Start(t)) // where no other test keeps VACUUM from its work
	b.long()
	names := pick(1000, 100_000)
	once := func(round int) {
		c := b.through(t, b.server.Addr)
		var all sync.WaitGroup
		for k := range 8 {
			all.Go(func() {
				for n := k; n < names; n += 8 {
					g, err := backends.Acquire(b.ctx, c, mutex(fmt.Sprintf("order/%d/%d", round, n), time.Minute))
					if err == nil {
						err = backends.Release(b.ctx, c, g)
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	}
	empty := b.sizes()
	var used [2]sizes
	for round := range used {
		once(round)
		used[round] = b.sizes()
		b.exec("SELECT lockkeeper.sweep(0)")
		b.vacuum()
		if n := b.count("names") + b.count("requests"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
		swept := b.sizes()
		t.Logf("empty %v, with %d names %v, swept %v", empty, names, used[round], swept)
		for _, table := range []string{"names", "requests"} {
			if swept[table] > empty[table] {
				t.Errorf("%s take %d bytes after the sweep; want %d", table, swept[table], empty[table])
			}
		}
	}
	for _, what := range []string{"names' indexes", "requests' indexes"} {
		if size := used[1][what]; size > used[0][what]*5/4 {
			t.Errorf("%s have grown from %d to %d bytes: room is not used again", what, used[0][what], size)
		}
	}
}

// All leases of a process are renewed by few statements.
func TestTenThousandLeasesAreRenewedByFewStatements(t *testing.T) {
	t.Parallel() // it mostly waits
	b := newBed(t, server.Get(t))
	var count tracer
	c := b.of(t, b.pool(t, b.server.Addr, count.on))
	const leases, together = 10_000, 500
	var rs []backends.Renewal
	for n := 0; n < leases; n += together {
		var part []backends.Request
		for k := range together {
			part = append(part, mutex(fmt.Sprintf("shard/%05d", n+k), time.Hour))
		}
		gs, err := b.acquireAll(c, part)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range gs {
			rs = append(rs, backends.Renewal{Grant: g, TTL: time.Hour})
		}
	}
	before := count.sent.Load()
	for _, r := range c.Renew(b.ctx, rs) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	const most = 10
	if n := count.sent.Load() - before; n > most {
		t.Errorf("%d statements; want at most %d", n, most)
	}
}

// What a process waits for costs its server next to nothing while nothing happens.
func TestManyWaitersOfAProcessSendFewStatements(t *testing.T) {
	t.Parallel() // it mostly waits
	b := newBed(t, server.Get(t))
	b.long()
	var count tracer
	x, y := b.through(t, b.server.Addr), b.of(t, b.pool(t, b.server.Addr, count.on))
	g := b.acquire(x, mutex("n", time.Hour))
	waiters := pick(500, 5000)
	for range waiters {
		b.start(y, mutex("n", time.Hour))
	}
	b.until("all are queued", func() bool { return b.waiters("n") == waiters })
	before, begin := count.sent.Load(), time.Now()
	b.idle(300)
	n, took := count.sent.Load()-before, time.Since(begin)
	t.Logf("%d waiters: %d statements in %v", waiters, n, took)
	if float64(n) > 2*took.Seconds()+1 {
		t.Errorf("%d statements in %v; want at most 2 a second", n, took)
	}
	if n == 0 {
		t.Error("no statement at all: is anything counted?")
	}
	b.release(x, g)
}
