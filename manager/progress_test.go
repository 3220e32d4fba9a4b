package manager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/history"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// Eight clients with eight goroutines each want two to five of six names at once, or one of them; some
// give up, some only try. Somebody always gets on, nobody shares a lock, and each store grants in the
// order of its queues. LOCKKEEPER_LONG=1 runs this for a minute on each store.
func TestNobodyWaitsForEver(t *testing.T) {
	for name, store := range everyStore() {
		t.Run(name, func(t *testing.T) {
			for mode, opts := range map[string][]Option{
				"hand-offs": {WithLocalHandoffs(8, time.Millisecond)},
				"strict":    {WithLocalHandoffs(0, 0)},
				"idle":      {WithIdleHold(50 * time.Millisecond)},
			} {
				t.Run(mode, func(t *testing.T) { progress(t, name == "cluster", store(t), append(opts, patient...)) })
			}
		})
	}
}

func progress(t *testing.T, cluster bool, client func() backends.Backend, opts []Option) {
	p := &crowd{t: t, seed: rand.Uint64(), cluster: cluster}
	t.Logf("seed %d", p.seed)
	p.rec = history.NewRecorder(&p.buf, "crowd")
	rounds := 60
	if testing.Short() || raceEnabled {
		rounds = 15
	}
	until := time.Time{}
	if os.Getenv("LOCKKEEPER_LONG") != "" {
		until = time.Now().Add(20 * time.Second) // three modes make a minute
	}
	watched := p.watch()
	var wg sync.WaitGroup
	for c := range 8 {
		m := newManager(t, p.observe(client()), opts...)
		for g := range 8 {
			rnd := rand.New(rand.NewPCG(p.seed, uint64(8*c+g)))
			wg.Go(func() {
				for i := 0; i < rounds || time.Now().Before(until); i++ {
					p.round(m, rnd, fmt.Sprint(c, "/", g))
				}
			})
		}
	}
	wg.Wait()
	watched()
	events, err := p.buf.Events()
	if err != nil {
		t.Fatal(err)
	}
	v := history.Check(events)
	t.Logf("%v; %d requests had to queue", v, p.checkOrder())
	if err := v.Err(); err != nil {
		t.Error(err)
	}
}

// crowd is what the goroutines of all clients share.
type crowd struct {
	t    *testing.T
	seed uint64
	// A cluster takes several names slot by slot, so only single requests stand in their queue when
	// the work is done.
	cluster bool
	buf     history.Buffer
	rec     *history.Recorder
	rounds  atomic.Int64

	mu     sync.Mutex
	queued []*queuedRequest
}

// queuedRequest is a request as it was seen at the door of the store.
type queuedRequest struct {
	name    string
	started int64 // when Start was called
	queued  int64 // when the store was known to have it in its queue
	token   uint64
}

func (p *crowd) round(m *Manager, rnd *rand.Rand, who string) {
	defer p.rounds.Add(1)
	var parts []Claim
	for _, i := range rnd.Perm(6)[:1+rnd.IntN(5)] {
		parts = append(parts, m.Lock(fmt.Sprint("name-", i)))
	}
	c := m.All(parts...)
	if len(parts) == 1 {
		c = parts[0]
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	asked := history.Now()
	l, err := (*Lease)(nil), error(nil)
	switch rnd.IntN(8) {
	case 0:
		l, err = c.TryAcquire(ctx)
	case 1:
		patience := rnd.IntN(100)
		go func() {
			for range patience {
				runtime.Gosched()
			}
			cancel()
		}()
		fallthrough
	default:
		l, err = c.Acquire(ctx)
	}
	if err != nil {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, ErrBusy) {
			p.t.Error(err)
		}
		return
	}
	var holds []history.Hold
	for _, part := range l.Leases() {
		holds = append(holds, p.rec.Granted(history.Grant{
			Name: part.Name(), Capacity: 1, Weight: 1, Token: part.Token(), Holder: who, Asked: asked,
		}))
	}
	for _, h := range holds {
		h.Ended()
	}
	mustRelease(p.t, l)
}

// watch fails the test when nobody has got on for minutes.
func (p *crowd) watch() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for last := int64(-1); ; last = p.rounds.Load() {
			select {
			case <-done:
				return
			case <-time.After(2 * time.Minute):
			}
			if p.rounds.Load() == last {
				stacks := make([]byte, 1<<20)
				panic(fmt.Sprintf("nobody gets on:\n%s", stacks[:runtime.Stack(stacks, true)]))
			}
		}
	}()
	return func() { close(done); <-ended }
}

// observe notes when each request for a name was started, when it was queued, and its token.
func (p *crowd) observe(b backends.Backend) backends.Backend {
	return &intercept.Backend{Backend: b, OnStart: func(op *backends.Op, start func(*backends.Op) backends.Work) backends.Work {
		if !op.Wait || len(op.Acquire) == 0 || p.cluster && len(op.Acquire) > 1 {
			return start(op)
		}
		seen := make([]*queuedRequest, len(op.Acquire))
		for i, r := range op.Acquire {
			seen[i] = &queuedRequest{name: r.Name, started: history.Now()}
		}
		granted := op.Granted
		op.Granted = func(i int, g backends.Grant, err error) {
			p.mu.Lock()
			seen[i].token = g.Token
			p.queued = append(p.queued, seen[i])
			p.mu.Unlock()
			granted(i, g, err)
		}
		stands := func() { // what has no answer yet stands in its queue
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, s := range seen {
				if s.token == 0 {
					s.queued = history.Now()
				}
			}
		}
		work := start(op)
		if work == nil {
			stands()
			return nil
		}
		return func(ctx context.Context) { work(ctx); stands() }
	}}
}

// checkOrder fails the test if a request was granted before another that stood in the queue when it
// was started. It returns how many were seen in a queue.
func (p *crowd) checkOrder() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.SortFunc(p.queued, func(a, b *queuedRequest) int { return cmp.Compare(a.token, b.token) })
	latest := map[string]*queuedRequest{} // started last, of those with a smaller token
	for _, r := range p.queued {
		if r.token == 0 { // cancelled
			continue
		}
		if r.queued > 0 {
			n++
			if o := latest[r.name]; o != nil && r.queued < o.started {
				p.t.Errorf("%q: token %d overtakes a request that was queued %d ns before it was started",
					r.name, o.token, o.started-r.queued)
			}
		}
		if o := latest[r.name]; o == nil || o.started < r.started {
			latest[r.name] = r
		}
	}
	return n
}
