package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// group is a bed in a cluster.
type group struct {
	*bed
	*redistest.Cluster
}

func (g *group) open(opts ...redis.Option) *redis.Backend {
	g.Helper()
	return open(g, g.Cluster.Client(g), append([]redis.Option{redis.WithPrefix(g.prefix)}, opts...)...)
}

// listening waits until the client is subscribed, on whatever node: then it knows that its request is queued.
func (g *group) listening(c *redis.Backend) {
	g.Helper()
	var nodes []*goredis.Client
	for _, n := range append(append([]*redistest.Server(nil), g.Primaries...), g.Replicas...) {
		nodes = append(nodes, n.Client(g))
	}
	g.until("the client listens", func() bool {
		for _, n := range nodes {
			if n.PubSubNumSub(g.ctx, c.Channel()).Val()[c.Channel()] == 1 {
				return true
			}
		}
		return false
	})
}

// name returns a name that lives on the primary with this number.
func (g *group) name(primary int) string {
	for i := 0; ; i++ {
		n := fmt.Sprint("n", i)
		if g.Primary(g.Slot(g, g.hash(n))) == primary {
			return n
		}
	}
}

func two(name string, ttl time.Duration) backends.Request {
	r := mutex(name, ttl)
	r.Kind, r.Capacity = backends.Semaphore, 2
	return r
}

// newClusterClient returns a client that connects to a node only after its OnNewNode functions have run. A client of
// go-redis v9.22 or v9.23 that routes by latency connects in a goroutine while its own function still writes: a data
// race. The clients that a backend derives from it do not route by latency.
func newClusterClient(opt goredis.ClusterOptions) *goredis.ClusterClient {
	var nodes sync.Map // the client of a node → a channel that is closed when it is set up
	opt.NewClient = func(opt *goredis.Options) *goredis.Client {
		if opt.ContextTimeoutEnabled { // of a derived client
			return goredis.NewClient(opt)
		}
		ready, dial := make(chan struct{}), goredis.NewDialer(opt)
		opt.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			<-ready
			return dial(ctx, network, addr)
		}
		c := goredis.NewClient(opt)
		nodes.Store(c, ready)
		return c
	}
	c := goredis.NewClusterClient(&opt)
	c.OnNewNode(func(node *goredis.Client) {
		ready, _ := nodes.Load(node)
		close(ready.(chan struct{}))
	})
	return c
}

// A client that sends reads to replicas still locks at primaries, since replicas may be out of
// date.
func readsFromReplicas(g *group) {
	for _, opt := range []goredis.ClusterOptions{{ReadOnly: true}, {RouteByLatency: true}, {RouteRandomly: true}} {
		opt.Addrs = g.Addrs()
		for _, opts := range [][]redis.Option{nil, {redis.WithSharedPool()}} {
			client := newClusterClient(opt)
			g.Cleanup(func() { client.Close() })
			c := open(g, client, append(opts, redis.WithPrefix(g.prefix))...)
			for i := range 8 { // with and without replicas
				name := fmt.Sprint("n", i)
				h := g.acquire(c, mutex(name, time.Minute))
				w := g.queue(c, mutex(name, time.Minute))
				if s := g.inspect(c, name); len(s.Holders) != 1 || s.Token != h.Token {
					g.Errorf("Inspect at once: %+v, want the holder of token %d", s, h.Token)
				}
				if r := g.renew(c, h, time.Minute); r.Err != nil {
					g.Errorf("Renew: %v", r.Err)
				}
				g.release(c, h)
				g.release(c, w.granted())
			}
			for _, err := range c.List(g.ctx) {
				if err != nil {
					g.Errorf("List: %v", err)
				}
			}
		}
	}
}

// Three primaries; the third has no replica. The last two parts change the cluster for good, so the order counts.
func TestClusterOfThree(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 2)
	for _, part := range []struct {
		name string
		run  func(*group)
	}{
		{"AnyNameLiesInOneSlotAndHasAChannelOfItsOwn", oddNamesInACluster},
		{"CheckLooksAtEachPrimary", checkCluster},
		{"ClientThatReadsFromReplicasAsksPrimaries", readsFromReplicas},
		{"SeveralNamesAreAskedForSlotBySlot", severalInACluster},
		{"SlotMovesWhileHeldAndWaitedFor", slotMoves},
		{"SlotThatNobodyServesLosesNothing", slotThatNobodyServes},
		{"SlotWithoutAPrimaryLeavesTheOthersAlone", slotWithoutAPrimary},
		{"PrimaryFailsOver", primaryFailsOver},
	} {
		c.Agree(t) // what an earlier part has changed
		t.Run(part.name, func(t *testing.T) { part.run(&group{newBed(t, c.Primaries[0]), c}) })
	}
}

func oddNamesInACluster(g *group) {
	slow := redis.WithHeartbeat(time.Minute) // only messages can bring the grants
	a, c := g.open(slow), g.open(slow)
	names := []string{"}", "{", "{}", "a}b", "{a}", "*", "?", "[a-z]", "a b", "\r\n", "\x00", "\xff", "%7D"}
	held := make(map[string]backends.Grant)
	for _, n := range names { // two holders and a waiter: all three keys
		g.acquire(a, two(n, time.Minute))
		held[n] = g.acquire(a, two(n, time.Minute))
	}
	waits := make(map[string]*waiting)
	for _, n := range names {
		waits[n] = g.queue(c, two(n, time.Minute))
	}
	for _, n := range names {
		g.release(a, held[n])
		g.release(c, waits[n].granted())
		for m, w := range waits {
			select {
			case <-w.ended:
				delete(waits, m)
				if m != n {
					g.Errorf("the release of %q brought the grant of %q", n, m)
				}
			default:
			}
		}
	}
}

func checkCluster(g *group) {
	all, err := g.open().Check(g.ctx)
	if err != nil {
		g.Fatal(err)
	}
	for i, p := range g.Primaries {
		topics := make(map[string]backends.Level)
		for _, f := range all {
			if strings.HasPrefix(f.What, p.Addr+": ") {
				topics[f.Topic] = f.Level
			}
		}
		if len(topics) < 7 || topics["rights"] != backends.OK {
			g.Errorf("of primary %d: %v", i, topics)
		}
	}
}

// While a slot moves, a name in it may be out of reach; nothing is taken for lost or busy, and nothing is.
func slotMoves(g *group) {
	a, c := g.open(), g.open(redis.WithHeartbeat(100*time.Millisecond))
	const from, to = 0, 1
	n := g.name(from)
	first, second := g.acquire(a, two(n, time.Minute)), g.acquire(a, two(n, time.Minute))
	w := g.queue(c, two(n, time.Minute))
	slot, source, target := g.Slot(g, g.hash(n)), g.Primaries[from], g.Primaries[to]
	look := func(when string) {
		g.Helper()
		if r := g.renew(a, first, time.Minute); r.Err != nil && !errors.Is(r.Err, backends.ErrUnavailable) {
			g.Errorf("%s: Renew: %v, want ErrUnavailable at worst", when, r.Err)
		}
		_, err := backends.TryAcquire(g.ctx, g.open(), two(n, time.Minute))
		if !errors.Is(err, backends.ErrUnavailable) && !errors.Is(err, backends.ErrBusy) {
			g.Errorf("%s: TryAcquire of what is held: %v", when, err)
		}
	}
	g.Begin(g, slot, source, target)
	look("before any key has moved")
	for moved := 0; g.MoveKeys(g, slot, 1, source, target) == 1; {
		moved++
		look(fmt.Sprintf("after %d keys", moved))
	}
	g.End(g, slot, target)
	if r := g.renew(a, first, time.Minute); r.Err != nil {
		g.Errorf("Renew at the new owner: %v", r.Err)
	}
	g.release(a, first)
	h := w.granted()
	if h.Token <= second.Token {
		g.Errorf("token %d after %d", h.Token, second.Token)
	}
	g.release(c, h)
	g.release(a, second)
	g.Begin(g, slot, target, source) // back, for the other parts
	g.MoveKeys(g, slot, 100, target, source)
	g.End(g, slot, source)
}

// CLUSTERDOWN says nothing about who holds what.
func slotThatNobodyServes(g *group) {
	a := g.open()
	n, other := g.name(0), g.name(1)
	held := g.acquire(a, mutex(n, time.Minute))
	slot := g.Slot(g, g.hash(n))
	for _, p := range append(append([]*redistest.Server(nil), g.Replicas...), g.Primaries...) { // the owner last
		p.Client(g).ClusterDelSlots(g.ctx, slot) // an error says that the node did not know the owner
	}
	g.until("the slot is down", func() bool {
		err := g.client.Get(g.ctx, g.hash(n)).Err()
		return err != nil && strings.HasPrefix(err.Error(), "CLUSTERDOWN")
	})
	if _, err := backends.TryAcquire(g.ctx, a, mutex(n, time.Minute)); !errors.Is(err, backends.ErrUnavailable) {
		g.Errorf("TryAcquire: %v, want ErrUnavailable", err)
	}
	if r := g.renew(a, held, time.Minute); !errors.Is(r.Err, backends.ErrUnavailable) || errors.Is(r.Err, backends.ErrLost) {
		g.Errorf("Renew: %v, want ErrUnavailable", r.Err)
	}
	g.release(a, g.acquire(a, mutex(other, time.Minute)))
	if err := g.client.ClusterAddSlots(g.ctx, slot).Err(); err != nil {
		g.Fatal(err)
	}
	g.until("the slot is served again", func() bool { return g.renew(a, held, time.Minute).Err == nil })
	g.release(a, held)
}

func slotWithoutAPrimary(g *group) {
	fast := redis.WithHeartbeat(100 * time.Millisecond)
	a, c := g.open(fast), g.open(fast)
	here, gone := g.name(0), g.name(2)
	held, lost := g.acquire(a, mutex(here, time.Minute)), g.acquire(a, mutex(gone, time.Minute))
	w := g.queue(c, mutex(gone, time.Minute))
	g.listening(c)
	g.Primaries[2].Kill()
	g.until("the others know", func() bool { return strings.Contains(g.client.ClusterNodes(g.ctx).Val(), "master,fail ") })
	ctx, cancel := context.WithTimeout(g.ctx, 5*time.Second)
	defer cancel()
	if _, err := backends.TryAcquire(ctx, a, mutex(gone, time.Minute)); !errors.Is(err, backends.ErrUnavailable) {
		g.Errorf("TryAcquire in a slot without a primary: %v, want ErrUnavailable", err)
	}
	answers := a.Renew(ctx, []backends.Renewal{{Grant: lost, TTL: time.Minute}, {Grant: held, TTL: time.Minute}})
	if err := answers[0].Err; !errors.Is(err, backends.ErrUnavailable) || errors.Is(err, backends.ErrLost) {
		g.Errorf("Renew in a slot without a primary: %v, want ErrUnavailable", err)
	}
	if answers[1].Err != nil {
		g.Errorf("Renew in another slot: %v", answers[1].Err)
	}
	next := g.queue(c, mutex(here, time.Minute))
	g.release(a, held)
	g.release(c, next.granted())
	g.Primaries[2].Restart(g) // empty
	h := w.granted()
	if h.Token <= lost.Token {
		g.Errorf("token %d after %d", h.Token, lost.Token)
	}
	g.release(c, h)
}

func primaryFailsOver(g *group) {
	fast := redis.WithHeartbeat(100 * time.Millisecond)
	a, c := g.open(fast), g.open(fast)
	n := g.name(1)
	held := g.acquire(a, mutex(n, time.Minute))
	w := g.queue(c, mutex(n, time.Minute))
	g.listening(c)
	replica := g.Replicas[1].ClientOf(g, &goredis.Options{})
	inStep(g.bed, g.Primaries[1].Client(g), g.hash(n)+":step")
	g.Primaries[1].Kill()
	g.until("the replica is the primary", func() bool {
		return strings.Contains(replica.Info(g.ctx, "replication").Val(), "role:master")
	})
	g.until("the lease goes on at the new primary", func() bool {
		r := g.renew(a, held, time.Minute)
		if r.Err != nil && !errors.Is(r.Err, backends.ErrUnavailable) {
			g.Fatalf("Renew: %v, want ErrUnavailable at worst", r.Err)
		}
		return r.Err == nil
	})
	g.until("released at the new primary", func() bool { return backends.Release(g.ctx, a, held) == nil })
	h := w.granted()
	if h.Token <= held.Token {
		g.Errorf("token %d after %d", h.Token, held.Token)
	}
	g.release(c, h)
}
