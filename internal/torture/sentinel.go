//go:build linux

package torture

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// Sentinel is the store on a primary and its replica, which three sentinels watch.
func Sentinel() Store {
	return Store{
		Name:   "sentinel",
		Extra:  true,
		Faults: sentinelFaults,
		Leaks: []goleak.Option{ // of the client library, see TestMain of the store
			goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9.(*sentinelFailover).listen"),
			goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9.(*channel).initMsgChan.func1"),
			goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9.(*channel).initHealthCheck.func1"),
		},
		Open: func(c Config, address string) (backends.Backend, error) {
			return openRedis(c, goredis.NewFailoverClient(&goredis.FailoverOptions{
				MasterName: "primary", SentinelAddrs: strings.Split(address, ","),
			}))
		},
		Start: func(s *Stage, c Config) Bed {
			primary := redistest.Start(s, "--appendonly", "yes")
			host, port, _ := net.SplitHostPort(primary.Addr)
			replica := redistest.Start(s, "--appendonly", "yes", "--replicaof", host, port)
			b := &sentinelBed{stage: s, primary: primary, replica: replica}
			b.await("the replica is in step", func() bool {
				return inStep(replica)
			})
			b.sentinels = redistest.StartSentinels(s, primary, 3)
			b.settle()
			b.hurry()
			return b
		},
	}
}

// sentinelBed is a primary with a replica, which take turns.
type sentinelBed struct {
	stage            *Stage
	primary, replica *redistest.Server
	sentinels        []*redistest.Server
}

func (b *sentinelBed) Address(int) string {
	var all []string
	for _, s := range b.sentinels {
		all = append(all, s.Addr)
	}
	return strings.Join(all, ",")
}

func (b *sentinelBed) Cause(s Step) {
	ctx := context.Background()
	switch s.Fault.Name {
	case "script-flush":
		b.must(on(b.primary, func(c *goredis.Client) error { return c.ScriptFlush(ctx).Err() }))
	case "reset":
		b.must(on(b.primary, cutAll))
	case "no-sentinels":
		for _, s := range b.sentinels {
			s.Kill()
		}
		Pause(s.For)
		for _, s := range b.sentinels {
			s.Watch(b.primary)
			s.Restart(b.stage)
		}
		b.hurry()
		b.settle()
	case "primary-stops":
		b.primary.Stop(b.stage)
		Pause(s.For)
		b.primary.Cont(b.stage)
	case "primary-dies":
		b.primary.Kill()
		b.promoted()
		b.primary.Restart(b.stage)
		b.demote()
	case "two-primaries":
		b.primary.Stop(b.stage)
		b.promoted()
		b.primary.Cont(b.stage)
		Pause(s.For)
		b.demote()
	case "switch":
		takeOver(b.stage, b.replica, func() error {
			c := goredis.NewSentinelClient(&goredis.Options{Addr: b.sentinels[0].Addr})
			defer c.Close()
			return c.Failover(ctx, "primary").Err()
		})
		b.promoted()
		b.demote()
	default:
		panic("bug: no fault of sentinels is called " + s.Fault.Name)
	}
}

// hurry has the sentinels begin a failover soon after the one before, but not because the machine is
// busy: such a failover would be in no schedule.
func (b *sentinelBed) hurry() {
	ctx := context.Background()
	b.every(func(c *goredis.SentinelClient) bool {
		b.must(c.Set(ctx, "primary", "failover-timeout", "1000").Err())
		b.must(c.Set(ctx, "primary", "down-after-milliseconds", "1500").Err())
		return true
	})
}

// promoted waits until all sentinels name the replica as the primary, and it is one.
func (b *sentinelBed) promoted() {
	host, port, _ := net.SplitHostPort(b.replica.Addr)
	b.await("the replica is promoted", func() bool {
		return role(b.replica) == "master" && b.every(func(c *goredis.SentinelClient) bool {
			addr, err := c.GetMasterAddrByName(context.Background(), "primary").Result()
			return err == nil && slices.Equal(addr, []string{host, port})
		})
	})
}

// demote makes the old primary the replica of the new one. A sentinel does it too, after many seconds.
func (b *sentinelBed) demote() {
	b.primary, b.replica = b.replica, b.primary
	host, port, _ := net.SplitHostPort(b.primary.Addr)
	b.await("the old primary follows", func() bool {
		return on(b.replica, func(c *goredis.Client) error { return c.ReplicaOf(context.Background(), host, port).Err() }) == nil
	})
	b.settle()
}

// settle waits until the sentinels know the replica and each other. If that takes long, it does what
// an operator would: where sentinels failed over again while [sentinelBed.demote] went on, each server
// may be the replica of the other, and no sentinel ends that, for neither is in step with a primary.
func (b *sentinelBed) settle() {
	const patience = 20 * time.Second
	look := time.Now().Add(patience)
	b.await("the sentinels know the replica and each other", func() bool {
		if b.agreed() {
			return true
		}
		if time.Now().After(look) {
			look = time.Now().Add(patience)
			b.untangle()
		}
		return false
	})
}

// untangle makes the server that all sentinels name the primary, and the other its replica.
func (b *sentinelBed) untangle() {
	ctx := context.Background()
	named := make(map[string]bool)
	b.every(func(c *goredis.SentinelClient) bool {
		addr, err := c.GetMasterAddrByName(ctx, "primary").Result()
		named[strings.Join(addr, ":")] = err == nil
		return true
	})
	if len(named) > 1 {
		return // they are at it
	}
	if named[b.replica.Addr] {
		b.primary, b.replica = b.replica, b.primary
	}
	host, port, _ := net.SplitHostPort(b.primary.Addr)
	_ = on(b.primary, func(c *goredis.Client) error { return c.ReplicaOf(ctx, "NO", "ONE").Err() }) // settle looks again
	_ = on(b.replica, func(c *goredis.Client) error { return c.ReplicaOf(ctx, host, port).Err() })
}

// agreed reports whether each sentinel knows the others, and a replica that is in step.
func (b *sentinelBed) agreed() bool {
	ctx := context.Background()
	return b.every(func(c *goredis.SentinelClient) bool {
		replicas, err := c.Replicas(ctx, "primary").Result()
		others, e := c.Sentinels(ctx, "primary").Result()
		return err == nil && e == nil && len(others) == len(b.sentinels)-1 && len(replicas) == 1 && replicas[0]["master-link-status"] == "ok"
	})
}

func (b *sentinelBed) every(is func(c *goredis.SentinelClient) bool) bool {
	return !slices.ContainsFunc(b.sentinels, func(s *redistest.Server) bool {
		c := goredis.NewSentinelClient(&goredis.Options{Addr: s.Addr})
		defer c.Close()
		return !is(c)
	})
}

func (b *sentinelBed) await(what string, is func() bool) { await(b.stage, what, is) }

func (b *sentinelBed) must(err error) {
	if err != nil {
		b.stage.Fatal(err)
	}
}

// Left returns names that have holders or waiters.
func (b *sentinelBed) Left() []string {
	return InUse(func() (backends.Backend, error) { return Sentinel().Open(Defaults(), b.Address(-1)) })
}

// role returns what a server is: master or slave; empty if it does not say.
func role(s *redistest.Server) string {
	role := ""
	_ = on(s, func(c *goredis.Client) error {
		v, err := c.Do(context.Background(), "ROLE").Slice()
		if err == nil {
			role, _ = v[0].(string)
		}
		return err
	})
	return role
}

// inStep reports whether a server is a replica that has what its primary has.
func inStep(s *redistest.Server) bool {
	var info string
	err := on(s, func(c *goredis.Client) (err error) {
		info, err = c.Info(context.Background(), "replication").Result()
		return err
	})
	return err == nil && strings.Contains(info, "role:slave") && strings.Contains(info, "master_link_status:up")
}

// on runs f with a client of its own for one server.
func on(s *redistest.Server, f func(c *goredis.Client) error) error {
	c := goredis.NewClient(&goredis.Options{Addr: s.Addr})
	defer c.Close()
	return f(c)
}

// cutAll cuts the connections of all clients of the server, but for this one.
func cutAll(c *goredis.Client) error {
	conn := c.Conn()
	defer conn.Close()
	var errs []error
	for _, kind := range []string{"normal", "pubsub"} {
		errs = append(errs, conn.Do(context.Background(), "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes").Err())
	}
	return errors.Join(errs...)
}

// takeOver has a replica become the primary: what begins it is repeated, for it may fail without a word.
func takeOver(s *Stage, replica *redistest.Server, begin func() error) {
	const patience = 6 * time.Second
	await(s, "the replica takes over", func() bool {
		_ = begin() // refused while one is under way, or when it is the primary
		for end := time.Now().Add(patience); role(replica) != "master"; Pause(10 * time.Millisecond) {
			if time.Now().After(end) {
				return false
			}
		}
		return true
	})
}

// await waits until something is so.
func await(s *Stage, what string, is func() bool) {
	const tick, most = 10 * time.Millisecond, 2 * time.Minute
	for end := time.Now().Add(most); !is(); Pause(tick) {
		if time.Now().After(end) {
			s.Fatalf("not in %v: %s", most, what)
		}
	}
}
