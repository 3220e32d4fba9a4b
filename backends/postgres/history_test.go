package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/internal/history"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// worker is a helper process that acquires and releases names of all kinds until it is told to stop, and
// writes down what it held. Arguments: DSN, schema, history file, its own name.
func worker(c *proctest.Child) error {
	pool, err := pgxpool.New(context.Background(), c.Args[0])
	if err != nil {
		return err
	}
	b, err := postgres.New(pool, postgres.WithSchema(c.Args[1]))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.Args[2], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	rec := history.NewRecorder(f, c.Args[3])
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for ctx.Err() == nil {
				if err := work(ctx, b, rec); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		})
	}
	c.Say("ready")
	c.Listen()
	stop()
	all.Wait()
	err = b.Close(context.Background())
	pool.Close()
	return errors.Join(err, rec.Err())
}

// The time to live is long for a worker that this machine may keep from running, and is waited for
// when a holder was killed.
const workTTL = 2 * time.Second

// wish is a request of any kind, each for a name of its kind.
func wish() backends.Request {
	r := mutex("mutex", workTTL)
	r.MinValid = time.Duration(rand.IntN(2)) * time.Second // some grants are believed by message
	switch rand.IntN(6) {
	case 0:
		r.Resource = backends.Resource{Name: "rw", Kind: backends.ReadWrite, Capacity: backends.ReadWriteCapacity}
	case 1:
		r.Resource = backends.Resource{Name: "rw", Kind: backends.ReadWrite, Capacity: backends.ReadWriteCapacity}
		r.Weight = backends.ReadWriteCapacity
	case 2:
		r.Resource = backends.Resource{Name: "permits", Kind: backends.Semaphore, Capacity: 3}
		r.Weight = 1 + rand.Int64N(3)
	}
	return r
}

// work is one grant, or a try or an acquire that is given up, or fails because the server is away. A
// holder that was sent back to the end of the queue is called so: its place says nothing.
func work(ctx context.Context, b *postgres.Backend, rec *history.Recorder) error {
	r := wish()
	var requeued atomic.Bool
	r.Notify = func(e backends.Event) {
		if e.Type == backends.Requeued {
			requeued.Store(true)
		}
	}
	give, cancel := context.WithCancel(ctx)
	defer cancel()
	if rand.IntN(8) == 0 {
		defer time.AfterFunc(time.Duration(rand.IntN(10))*time.Millisecond, cancel).Stop()
	}
	acquire := backends.Acquire
	if rand.IntN(8) == 0 {
		acquire = backends.TryAcquire
	}
	asked := history.Now()
	g, err := acquire(give, b, r)
	switch {
	case errors.Is(err, backends.ErrBusy), errors.Is(err, context.Canceled), errors.Is(err, backends.ErrUnavailable):
		return nil
	case err != nil:
		return err
	}
	holder := fmt.Sprintf("%d/%d", g.ID.Client, g.ID.Seq)
	if requeued.Load() {
		holder += "/requeued"
	}
	hold := rec.Granted(history.Grant{
		Name: r.Name, Capacity: r.Capacity, Weight: r.Weight, Token: g.Token, Holder: holder, Asked: asked,
	})
	runtime.Gosched()
	hold.Ended()
	err = backends.Release(context.Background(), b, g)
	if errors.Is(err, backends.ErrUnavailable) || errors.Is(err, backends.ErrLost) { // by a crash of the server
		return nil
	}
	return err
}

// Several processes use names of all kinds while one after the other is killed and replaced, and the
// server crashes now and then. Afterwards the history of all grants is checked: nobody overlapped,
// tokens went up, and of two that were seen in a queue the first was granted first.
func TestHistoryWithKills(t *testing.T) {
	t.Parallel() // it mostly waits
	const processes = 4
	kills, crashes, more := pick(2, 60), pick(1, 6), pick(60, 1500)
	h := newHistory(t, more)
	var running []*proctest.Process
	for range processes {
		running = append(running, h.start())
	}
	each := kills / crashes
	for n := range kills {
		h.grow()
		i := rand.IntN(processes)
		h.deaths.Died(h.names[running[i]])
		running[i].Kill()
		running[i] = h.start()
		if n%each == each-1 {
			h.grow()
			h.crash()
		}
	}
	h.grow()
	for _, p := range running {
		p.Say("stop")
	}
	for _, p := range running {
		if err := p.Wait(); err != nil {
			t.Errorf("a worker failed: %v", err)
		}
	}
	events, err := history.ReadFiles(h.files...)
	if err != nil {
		t.Fatal(err)
	}
	v := history.Check(events)
	t.Log(v)
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	if least := more * (kills + crashes + 1); v.Grants < least {
		t.Errorf("%d grants; want at least %d", v.Grants, least)
	}
	compared, overtaken := h.compare(events)
	t.Logf("%d pairs were seen in a queue and granted later, %d of them in the wrong order", compared, len(overtaken))
	if len(overtaken) > 0 {
		t.Errorf("overtaken in the queue: %v", overtaken[:min(len(overtaken), 10)])
	}
	if compared < 10 {
		t.Errorf("%d pairs were seen waiting; want more, to tell anything about their order", compared)
	}
}

// keptHistory is what a test with killed processes keeps.
type keptHistory struct {
	*bed
	dir    string
	files  []string
	names  map[*proctest.Process]string
	deaths *history.Recorder
	more   int // grants between two faults

	looks []look
	ends  []int64 // when each life of the server ended
}

// look is a queue as it was seen, in order.
type look struct {
	life int // of the server
	name string
	ids  []string
}

func newHistory(t *testing.T, more int) *keptHistory {
	s := pgtest.Start(t)
	h := &keptHistory{bed: newBed(t, s), dir: t.TempDir(), names: make(map[*proctest.Process]string), more: more}
	h.long()
	f, err := os.Create(filepath.Join(h.dir, "deaths"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	h.files = []string{f.Name()}
	h.deaths = history.NewRecorder(f, "killer")
	return h
}

func (h *keptHistory) start() *proctest.Process {
	name := fmt.Sprintf("worker %d", len(h.files))
	file := filepath.Join(h.dir, name)
	h.files = append(h.files, file)
	p := proctest.Start(h.TB, "worker", h.server.DSN("postgres"), h.schema, file, name)
	p.Expect("ready")
	h.names[p] = name
	return p
}

// crash has the server crash and start again.
func (h *keptHistory) crash() {
	h.Helper()
	h.ends = append(h.ends, history.Now())
	h.server.Restart(h.TB.(*testing.T))
	h.conn = h.connect()
}

// grow returns when so many grants were recorded, and looks at the queues meanwhile.
func (h *keptHistory) grow() {
	h.Helper()
	size := func() (n int64) {
		for _, f := range h.files {
			if s, err := os.Stat(f); err == nil {
				n += s.Size()
			}
		}
		return n
	}
	const each = 280 // bytes of a grant and its end, or more
	enough := size() + int64(h.more)*each
	h.until("there are more grants", func() bool {
		h.look()
		return size() >= enough
	})
}

// look notes who waits now.
func (h *keptHistory) look() {
	h.Helper()
	rows, err := h.conn.Query(h.ctx, "SELECT convert_from(n.name, 'UTF8'), q.client || '/' || q.id FROM "+h.schema+
		".requests q JOIN "+h.schema+".names n USING (rid) WHERE q.token IS NULL AND q.place > 0 ORDER BY n.name, q.place")
	if err != nil {
		h.Fatal(err)
	}
	defer rows.Close()
	var now []look
	for rows.Next() {
		var name, id string
		if err := rows.Scan(&name, &id); err != nil {
			h.Fatal(err)
		}
		if len(now) == 0 || now[len(now)-1].name != name {
			now = append(now, look{life: len(h.ends), name: name})
		}
		last := &now[len(now)-1]
		last.ids = append(last.ids, id)
	}
	if err := rows.Err(); err != nil {
		h.Fatal(err)
	}
	for _, l := range now {
		same := func(m look) bool { return m.life == l.life && m.name == l.name && slices.Equal(m.ids, l.ids) }
		if len(l.ids) > 1 && !slices.ContainsFunc(h.looks[max(0, len(h.looks)-8):], same) {
			h.looks = append(h.looks, l)
		}
	}
}

// compare returns how many pairs that waited at the same time were both granted in the same life of
// the server, and those of them in which the one behind was granted first. A process that gave up or
// died does not count.
func (h *keptHistory) compare(events []history.Event) (pairs int, overtaken []string) {
	granted := map[string]*history.Event{}
	for i := range events {
		granted[events[i].Holder] = &events[i]
	}
	for _, l := range h.looks {
		var before *history.Event
		for _, id := range l.ids {
			e := granted[id]
			if e == nil || l.life < len(h.ends) && e.From > h.ends[l.life] {
				continue
			}
			if before != nil {
				if pairs++; before.Token > e.Token {
					overtaken = append(overtaken, l.name+": "+before.Holder+" by "+e.Holder)
				}
			}
			before = e
		}
	}
	return pairs, overtaken
}

func TestAnOvertakenWaiterIsFound(t *testing.T) {
	const crash = 10
	h := &keptHistory{ends: []int64{crash}, looks: []look{
		{life: 0, name: "n", ids: []string{"a", "gone", "b", "c"}}, {life: 0, name: "n", ids: []string{"b", "late"}},
		{life: 1, name: "n", ids: []string{"c", "d"}},
	}}
	var events []history.Event
	for i, holder := range []string{"a", "b", "d", "c", "late"} {
		e := history.Event{Grant: history.Grant{Name: "n", Holder: holder, Token: uint64(i + 1)}, From: int64(i)}
		if holder == "late" {
			e.From, e.Token = crash+1, 1 // its place may have been lost
		}
		events = append(events, e)
	}
	pairs, overtaken := h.compare(events)
	if pairs != 3 || !slices.Equal(overtaken, []string{"n: c by d"}) {
		t.Errorf("%d pairs, overtaken: %q", pairs, overtaken)
	}
}
