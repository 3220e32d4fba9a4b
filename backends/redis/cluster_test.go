package redis_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/backendtest"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// startCluster returns a cluster of one node, which owns every slot: it refuses what a cluster refuses (keys in two
// slots, keys that are not declared), but has nowhere to move a slot to.
func startCluster(t testing.TB) *redistest.Server {
	t.Helper()
	s := redistest.Start(t, "--cluster-enabled", "yes")
	c := s.Client(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.ClusterAddSlotsRange(ctx, 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for c.Set(ctx, "probe", "x", 0).Err() != nil {
		if ctx.Err() != nil {
			t.Fatal("the cluster does not come up")
		}
	}
	return s
}

// inOneSlot returns n names, new ones each time, that lie in one slot.
func inOneSlot(_ testing.TB, n int) (names []string) {
	bySlot := make(map[int][]string)
	for {
		name := fmt.Sprintf("%x", rand.Uint64())
		slot := redis.SlotOf(name)
		if bySlot[slot] = append(bySlot[slot], name); len(bySlot[slot]) == n {
			return bySlot[slot]
		}
	}
}

func TestContractInACluster(t *testing.T) {
	s := startCluster(t)
	backendtest.Run(t, func(t testing.TB) backendtest.Env {
		prefix := s.Prefix()
		return backendtest.Env{
			TTL:      300 * time.Millisecond,
			Rounds:   20,
			Together: inOneSlot,
			Open: func(t testing.TB) backends.Backend {
				c := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{s.Addr}})
				t.Cleanup(func() { c.Close() })
				b := open(t, c, redis.WithPrefix(prefix))
				b.Await() // the clauses look at once whether anything is left
				return b
			},
			Crash: func(t testing.TB, b backends.Backend) { b.(*redis.Backend).Crash() },
		}
	})
}

// A client of a kind that is not known is used as it is: its hooks see every command, and its pool carries them.
func TestContractOverASharedPool(t *testing.T) {
	s := server.Get(t)
	backendtest.Run(t, func(t testing.TB) backendtest.Env {
		prefix := s.Prefix()
		return backendtest.Env{
			TTL:      300 * time.Millisecond,
			Rounds:   20,
			Together: inOneSlot,
			Open: func(t testing.TB) backends.Backend {
				b := open(t, struct{ goredis.UniversalClient }{s.Client(t)}, redis.WithPrefix(prefix))
				b.Await() // the clauses look at once whether anything is left
				return b
			},
		}
	})
}

func TestWaitReplicas(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	b := newBed(t, primary)
	c := b.open(redis.WithWaitReplicas(1, 100*time.Millisecond))
	if g, err := backends.TryAcquire(b.ctx, c, mutex("n", time.Minute)); !errors.Is(err, backends.ErrUnavailable) {
		t.Fatalf("TryAcquire without a replica = %+v, %v; want ErrUnavailable", g, err)
	}
	plain := b.open()
	b.until("the unconfirmed grant is undone", func() bool { return len(b.inspect(plain, "n").Holders) == 0 })

	host, port := split(t, primary.Addr)
	replica := redistest.Start(t, "--replicaof", host, port)
	rc := replica.Client(t)
	b.until("the replica is in step", func() bool {
		n, err := b.client.Wait(b.ctx, 1, time.Second).Result()
		return err == nil && n == 1
	})
	patient := b.open(redis.WithWaitReplicas(1, 5*time.Second))
	g, other := b.acquire(patient, mutex("n", time.Minute)), b.acquire(plain, mutex("m", time.Minute))
	if rc.Exists(b.ctx, b.hash("n")).Val() != 1 {
		t.Error("the replica does not have the grant")
	}
	if r := b.renew(patient, g, time.Minute); r.Err != nil {
		t.Errorf("Renew: %v", r.Err)
	}
	// A message says nothing of replicas: who waits has its grant confirmed by a command of its own.
	w := b.queue(patient, modest("m", time.Minute, time.Second))
	b.until("the waiter listens", patient.Listens)
	b.release(plain, other)
	if h := w.granted(); time.Until(h.ValidUntil) < 30*time.Second {
		t.Errorf("a waiter's grant is valid for %v, as if it had not been asked for", time.Until(h.ValidUntil))
	}
	replica.Stop(t)
	if r := b.renew(c, g, time.Minute); !errors.Is(r.Err, backends.ErrUnavailable) {
		t.Errorf("Renew with a frozen replica: %v, want ErrUnavailable", r.Err)
	}
	replica.Cont(t)
	b.release(c, g)
}
