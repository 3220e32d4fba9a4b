package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
	"github.com/lockkeeper/lockkeeper/internal/history"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// worker is the helper that acquires and releases until it is killed. Arguments: directory, history file, name of the process; and
// "sparse", for names that are out of use most of the time, with a client that closes their files at once.
func worker(c *proctest.Child) error {
	b, err := New(c.Args[0])
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.Args[1], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	rec := history.NewRecorder(f, c.Args[2])
	var names int
	if len(c.Args) > 3 {
		b.lingering.Store(mostLingering)
		names = 20
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for ctx.Err() == nil {
				if err := work(ctx, b, rec, names); err != nil {
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
	return b.Close(context.Background())
}

// requests are of all kinds, each for a name of its kind.
func requests(suffix string) []backends.Request {
	m, rw, s := "mutex"+suffix, "rw"+suffix, "permits"+suffix
	return []backends.Request{mutex(m), reader(rw), writer(rw), permits(s, 1+rand.Int64N(3), 3)}
}

// work is one grant, or a try or an acquire that is given up.
func work(ctx context.Context, b *Backend, rec *history.Recorder, names int) error {
	var suffix string
	if names > 0 {
		suffix = strconv.Itoa(rand.IntN(names))
	}
	kinds := requests(suffix)
	kinds = append(kinds, kinds[:2]...)
	r := kinds[rand.IntN(len(kinds))]
	try := rand.IntN(8) == 0
	give, cancel := context.WithCancel(ctx)
	defer cancel()
	if rand.IntN(8) == 0 {
		defer time.AfterFunc(time.Duration(rand.IntN(2000))*time.Microsecond, cancel).Stop()
	}
	asked := history.Now()
	acquire := backends.Acquire
	if try {
		acquire = backends.TryAcquire
	}
	g, err := acquire(give, b, r)
	switch {
	case errors.Is(err, backends.ErrBusy), errors.Is(err, context.Canceled):
		return nil
	case err != nil:
		return err
	}
	hold := rec.Granted(history.Grant{Name: r.Name, Capacity: r.Capacity, Weight: r.Weight, Token: g.Token, Holder: fmt.Sprint(g.ID), Asked: asked})
	runtime.Gosched()
	hold.Ended()
	return backends.Release(context.Background(), b, g)
}

// Several processes use locks of all kinds while one after the other is killed and replaced. Afterwards the history
// of all grants is checked: nobody overlapped, tokens went up, and whoever was seen before another in a queue was granted first.
func TestHistoryWithKills(t *testing.T) {
	const processes = 4
	kills, least := 30, 1000
	switch {
	case testing.Short():
		kills = 6
	case long:
		kills, least = 250, 100_000
	}
	dir, logs := t.TempDir()+"/locks", t.TempDir()
	files := []string{}
	start := func(n int) *proctest.Process {
		name := fmt.Sprintf("worker %d", n)
		path := filepath.Join(logs, fmt.Sprint(n))
		files = append(files, path)
		p := proctest.Start(t, "worker", dir, path, name)
		p.Expect("ready")
		return p
	}
	deaths := filepath.Join(logs, "deaths")
	files = append(files, deaths)
	f, err := os.Create(deaths)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec := history.NewRecorder(f, "killer")
	var running []*proctest.Process
	number := map[*proctest.Process]int{}
	for n := range processes {
		p := start(n)
		number[p] = n
		running = append(running, p)
	}
	seen := queues{}
	for n := range kills {
		grow(t, files, func() { seen.look(t, dir) }) // let some grants happen between two kills
		i := rand.IntN(processes)
		p := running[i]
		rec.Died(fmt.Sprintf("worker %d", number[p]))
		p.Kill()
		running[i] = start(processes + n)
		number[running[i]] = processes + n
	}
	for _, p := range running {
		p.Say("stop")
		if err := p.Wait(); err != nil {
			t.Errorf("a worker failed: %v", err)
		}
	}
	events, err := history.ReadFiles(files...)
	if err != nil {
		t.Fatal(err)
	}
	v := history.Check(events)
	t.Log(v)
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	if v.Grants < least {
		t.Errorf("%d grants; want at least %d", v.Grants, least)
	}
	compared, overtaken := seen.compare(events)
	t.Logf("%d pairs were seen in a queue and granted later, %d of them in the wrong order", compared, len(overtaken))
	if len(overtaken) > 0 {
		t.Errorf("overtaken in the queue: %v", overtaken[:min(len(overtaken), 10)])
	}
	if compared < least/10 {
		t.Errorf("%d pairs were seen waiting; want more, to tell anything about their order", compared)
	}
	b := open(t, dir)
	for s, err := range b.List(patient(t)) {
		t.Errorf("left behind: %+v, %v", s, err)
	}
}

// queues is what was seen in the tables of each name, as long as the test ran: who waited, in order.
type queues map[string][][]string

// look notes who waits now. It reads beside the workers, without a lock: what it meets in the middle of a change it leaves out.
func (q queues) look(t *testing.T, dir string) {
	for _, name := range [...]string{"mutex", "rw", "permits"} {
		f, err := os.Open(filepath.Join(dir, name+lockdir.TableEnding))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		table, _, err := lockdir.ReadTable(int(f.Fd()))
		f.Close()
		if err != nil {
			continue
		}
		var ids []string
		for i := range table.Waiters {
			ids = append(ids, fmt.Sprint(table.Waiters[i].ID))
		}
		if all := q[name]; len(ids) > 1 && (len(all) == 0 || !slices.Equal(all[len(all)-1], ids)) {
			q[name] = append(all, ids)
		}
	}
}

// compare returns how many pairs that waited at the same time were both granted, and those of them in which the one behind was
// granted first. Those who gave up or died do not count.
func (q queues) compare(events []history.Event) (pairs int, overtaken []string) {
	tokens := map[string]uint64{}
	for i := range events {
		tokens[events[i].Holder] = events[i].Token
	}
	for name, all := range q {
		for _, ids := range all {
			var before string
			for _, id := range ids {
				if tokens[id] == 0 {
					continue
				}
				if before != "" {
					if pairs++; tokens[before] > tokens[id] {
						overtaken = append(overtaken, name+": "+before+" by "+id)
					}
				}
				before = id
			}
		}
	}
	return pairs, overtaken
}

func TestAnOvertakenWaiterIsFound(t *testing.T) {
	seen := queues{"db": {{"a", "gone", "b", "c"}, {"b", "c", "d"}}}
	var events []history.Event
	for i, holder := range []string{"a", "b", "d", "c"} {
		events = append(events, history.Event{Grant: history.Grant{Name: "db", Holder: holder, Token: uint64(i + 1)}})
	}
	pairs, overtaken := seen.compare(events)
	if pairs != 4 || !slices.Equal(overtaken, []string{"db: c by d"}) {
		t.Errorf("%d pairs, overtaken: %q", pairs, overtaken)
	}
}

// grow returns when the files have grown by some hundred grants. Meanwhile it looks, again and again.
func grow(t *testing.T, files []string, look func()) {
	t.Helper()
	size := func() (n int64) {
		for _, f := range files {
			if s, err := os.Stat(f); err == nil {
				n += s.Size()
			}
		}
		return n
	}
	const more = 400 * 250
	ctx := patient(t)
	for before := size(); size() < before+more; runtime.Gosched() {
		look()
		if ctx.Err() != nil {
			t.Fatal("the workers have come to a standstill")
		}
	}
}
