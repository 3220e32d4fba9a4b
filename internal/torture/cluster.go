//go:build linux

package torture

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// Cluster is the store on a cluster of three primaries, each with a replica.
func Cluster() Store {
	return Store{
		Name:   "cluster",
		Extra:  true,
		Slots:  true,
		Faults: clusterFaults,
		Open: func(c Config, address string) (backends.Backend, error) {
			return openRedis(c, goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: strings.Split(address, ",")}))
		},
		Start: func(s *Stage, c Config) Bed {
			b := &clusterBed{stage: s, Config: c, cluster: redistest.StartCluster(s, 3, 3)}
			var all []string
			for _, n := range b.nodes() {
				all = append(all, n.Addr)
				// A failover because the machine is busy would be in no schedule.
				if err := on(n, func(c *goredis.Client) error { return c.ConfigSet(s.Context(), "cluster-node-timeout", "2500").Err() }); err != nil {
					s.Fatal(err)
				}
			}
			b.address = strings.Join(all, ",")
			return b
		},
	}
}

type clusterBed struct {
	Config
	stage   *Stage
	cluster *redistest.Cluster
	address string
}

// Address is that of all nodes: any may be down when a client is opened.
func (b *clusterBed) Address(int) string { return b.address }

func (b *clusterBed) nodes() []*redistest.Server {
	return slices.Concat(b.cluster.Primaries, b.cluster.Replicas)
}

func (b *clusterBed) Cause(s Step) {
	b.settle()
	ctx := context.Background()
	switch s.Fault.Name {
	case "script-flush":
		for _, n := range b.nodes() {
			b.must(on(n, func(c *goredis.Client) error { return c.ScriptFlush(ctx).Err() }))
		}
	case "reset":
		p, _ := b.pair()
		b.must(on(p, cutAll))
	case "primary-stops":
		p, _ := b.pair()
		p.Stop(b.stage)
		Pause(s.For)
		p.Cont(b.stage)
	case "slot-moves":
		b.move()
	case "planned-failover":
		_, r := b.pair()
		takeOver(b.stage, r, func() error {
			return on(r, func(c *goredis.Client) error { return c.ClusterFailover(ctx).Err() })
		})
	case "primary-dies":
		p, r := b.pair()
		p.Kill()
		await(b.stage, "the replica takes over", func() bool { return role(r) == "master" })
		p.Restart(b.stage)
	default:
		panic("bug: no fault of a cluster is called " + s.Fault.Name)
	}
	b.settle()
}

// pair returns any primary and its replica: the nodes of a pair have the same number, and take turns.
func (b *clusterBed) pair() (primary, replica *redistest.Server) {
	i := rand.IntN(len(b.cluster.Primaries))
	return b.cluster.Primaries[i], b.cluster.Replicas[i]
}

// settle waits until of each pair one is the primary and the other is in step, and notes which: on a busy
// machine a replica may take over for no other reason.
func (b *clusterBed) settle() {
	for i := range b.cluster.Primaries {
		p, r := &b.cluster.Primaries[i], &b.cluster.Replicas[i]
		await(b.stage, "a pair of nodes has a primary, and a replica that follows", func() bool {
			if role(*r) == "master" {
				*p, *r = *r, *p
			}
			return role(*p) == "master" && inStep(*r)
		})
	}
	b.cluster.Agree(b.stage)
}

// move moves the slot of one of the names to another primary, one key after the other.
func (b *clusterBed) move() {
	all := b.resources()
	slot := b.cluster.Slot(b.stage, "{"+all[rand.IntN(len(all))].name+"}")
	from := b.owner(slot)
	others := slices.DeleteFunc(slices.Clone(b.cluster.Primaries), func(n *redistest.Server) bool { return n == from })
	to := others[rand.IntN(len(others))]
	b.cluster.Begin(b.stage, slot, from, to)
	for b.cluster.MoveKeys(b.stage, slot, 1, from, to) > 0 {
	}
	b.cluster.End(b.stage, slot, to)
}

// owner returns the primary that has a slot.
func (b *clusterBed) owner(slot int) *redistest.Server {
	var shards []goredis.ClusterShard
	b.must(on(b.cluster.Primaries[0], func(c *goredis.Client) (err error) {
		shards, err = c.ClusterShards(context.Background()).Result()
		return err
	}))
	for _, shard := range shards {
		if !slices.ContainsFunc(shard.Slots, func(r goredis.SlotRange) bool { return r.Start <= int64(slot) && int64(slot) <= r.End }) {
			continue
		}
		for _, p := range b.cluster.Primaries {
			_, port, _ := net.SplitHostPort(p.Addr)
			if slices.ContainsFunc(shard.Nodes, func(n goredis.Node) bool { return strconv.FormatInt(n.Port, 10) == port }) {
				return p
			}
		}
	}
	panic(failure{"no primary has the slot of a name"})
}

func (b *clusterBed) must(err error) {
	if err != nil {
		b.stage.Fatal(err)
	}
}

// Left returns names that have holders or waiters.
func (b *clusterBed) Left() []string {
	return InUse(func() (backends.Backend, error) { return Cluster().Open(b.Config, b.Address(-1)) })
}
