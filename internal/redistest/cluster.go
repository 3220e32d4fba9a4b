package redistest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// slots is how many there are in a cluster.
const slots = 16384

// clusterPatience bounds how long a cluster may take to come up or to agree on a change.
const clusterPatience = 60 * time.Second

// Cluster is a Redis cluster on the loopback interface. A node is taken for dead when it has not answered for a second, and
// slots whose primary is gone leave the others alone.
type Cluster struct {
	Primaries []*Server // as they were in the beginning; the slots are divided among them evenly
	Replicas  []*Server // number i was a replica of primary i in the beginning
}

// StartCluster runs a cluster, until the end of the test, with so many primaries, the first of which have a replica each.
func StartCluster(t testing.TB, primaries, replicas int) *Cluster {
	t.Helper()
	c := &Cluster{}
	for range primaries {
		c.Primaries = append(c.Primaries, startNode(t))
	}
	for range replicas {
		c.Replicas = append(c.Replicas, startNode(t))
	}
	first := c.Primaries[0]
	for i, n := range c.all() {
		if i < primaries {
			from, to := slots*i/primaries, slots*(i+1)/primaries-1
			n.must(t, "CLUSTER", "ADDSLOTSRANGE", from, to)
		}
		host, port, _ := net.SplitHostPort(n.Addr)
		first.must(t, "CLUSTER", "MEET", host, port, n.bus)
	}
	c.until(t, "all nodes know each other", func(n *Server) bool {
		return strings.Contains(n.say("CLUSTER", "INFO"), fmt.Sprintf("cluster_known_nodes:%d", primaries+replicas))
	})
	for i, r := range c.Replicas {
		r.must(t, "CLUSTER", "REPLICATE", c.Primaries[i].ID(t))
	}
	c.until(t, "the cluster is up, and its replicas are in step", func(n *Server) bool {
		info := n.say("INFO", "replication")
		return strings.Contains(n.say("CLUSTER", "INFO"), "cluster_state:ok") &&
			strings.Count(n.say("CLUSTER", "NODES"), "slave ") == replicas &&
			(strings.Contains(info, "role:master") || strings.Contains(info, "master_link_status:up"))
	})
	return c
}

func startNode(t testing.TB) *Server {
	t.Helper()
	bus, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	s := Start(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus), "--cluster-node-timeout", "1000",
		"--cluster-require-full-coverage", "no", "--cluster-replica-validity-factor", "0")
	s.bus = bus
	return s
}

func (c *Cluster) all() []*Server {
	return append(append([]*Server(nil), c.Primaries...), c.Replicas...)
}

// until asks all nodes again and again.
func (c *Cluster) until(t testing.TB, what string, is func(*Server) bool) {
	t.Helper()
	end := time.Now().Add(clusterPatience)
	for _, n := range c.all() {
		for !is(n) {
			if time.Now().After(end) {
				t.Fatalf("not in %v: %s:\n%s", clusterPatience, what, n.say("CLUSTER", "NODES"))
			}
		}
	}
}

// Addrs returns the addresses of the primaries.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, p := range c.Primaries {
		addrs = append(addrs, p.Addr)
	}
	return addrs
}

// Client returns a client of the cluster, which is closed at the end of the test.
func (c *Cluster) Client(t testing.TB) *redis.ClusterClient {
	t.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs()})
	t.Cleanup(func() { client.Close() })
	return client
}

// Slot returns the slot of a key.
func (c *Cluster) Slot(t testing.TB, key string) int {
	t.Helper()
	n, err := strconv.Atoi(c.Primaries[0].must(t, "CLUSTER", "KEYSLOT", key))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Primary returns the number of the primary that had the slot in the beginning.
func (c *Cluster) Primary(slot int) int {
	for i := range c.Primaries {
		if slot < slots*(i+1)/len(c.Primaries) {
			return i
		}
	}
	return -1
}

// Begin opens a slot for its move: from then on its old owner redirects what asks for keys that it does not have any more
// (ASK), and refuses what needs several of which it has some (TRYAGAIN).
func (c *Cluster) Begin(t testing.TB, slot int, from, to *Server) {
	t.Helper()
	to.must(t, "CLUSTER", "SETSLOT", slot, "IMPORTING", from.ID(t))
	from.must(t, "CLUSTER", "SETSLOT", slot, "MIGRATING", to.ID(t))
}

// MoveKeys moves up to n keys of the slot, and returns how many it has moved.
func (c *Cluster) MoveKeys(t testing.TB, slot, n int, from, to *Server) int {
	t.Helper()
	keys := strings.Fields(from.must(t, "CLUSTER", "GETKEYSINSLOT", slot, n))
	if len(keys) == 0 {
		return 0
	}
	host, port, _ := net.SplitHostPort(to.Addr)
	args := []any{"MIGRATE", host, port, "", 0, clusterPatience.Milliseconds(), "KEYS"}
	for _, k := range keys {
		args = append(args, k)
	}
	if _, err := from.command(args); err != nil {
		// A command without an answer may have been carried out in part. What the old owner still has, counts.
		from.must(t, slices.Insert(args, 6, any("REPLACE"))...)
	}
	return len(keys)
}

// End makes the new owner of a slot known. A node that has become a replica takes no order about slots: it hears of the
// owner from the others.
func (c *Cluster) End(t testing.TB, slot int, to *Server) {
	t.Helper()
	for _, n := range append([]*Server{to}, c.Primaries...) {
		if n == to || !strings.Contains(n.say("ROLE"), "slave") {
			n.must(t, "CLUSTER", "SETSLOT", slot, "NODE", to.ID(t))
		}
	}
}

// Agree waits until all nodes say the same of who has which slots: what one was told, the others hear by and by, and meanwhile they may
// send a client around in a circle.
func (c *Cluster) Agree(t testing.TB) {
	t.Helper()
	c.until(t, "the nodes agree who has which slots", func(n *Server) bool {
		all := n.owners()
		return all != "" && all == c.Primaries[0].owners()
	})
}

// owners lists who has which slots, as this node knows it.
func (s *Server) owners() string {
	var owners []string
	for line := range strings.Lines(s.say("CLUSTER", "NODES")) {
		const slots = 8 // from this field on
		f := strings.Fields(line)
		if len(f) < slots || !strings.Contains(f[2], "master") {
			continue
		}
		moving := func(slot string) bool { return strings.HasPrefix(slot, "[") } // which only the two concerned know
		owners = append(owners, fmt.Sprint(f[0], slices.DeleteFunc(f[slots:], moving)))
	}
	slices.Sort(owners)
	return strings.Join(owners, " ")
}

// ID returns the name of a node in its cluster.
func (s *Server) ID(t testing.TB) string {
	t.Helper()
	return s.must(t, "CLUSTER", "MYID")
}

// must sends a command that has to succeed and returns its answer as text, lists with spaces between their parts.
func (s *Server) must(t testing.TB, args ...any) string {
	t.Helper()
	for end := time.Now().Add(clusterPatience); ; {
		v, err := s.command(args)
		if err == nil {
			return v
		}
		// A node of a busy machine may not have heard of the others for a while, or of the one that keys go to.
		text := err.Error()
		passing := strings.Contains(text, "CLUSTERDOWN") || strings.HasPrefix(text, "IOERR")
		if !passing || time.Now().After(end) {
			t.Fatalf("%v: %v", args, err)
		}
	}
}

// say is must for an answer that may fail to come, and is empty then.
func (s *Server) say(args ...any) string {
	v, _ := s.command(args)
	return v
}

func (s *Server) command(args []any) (string, error) {
	c := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, Protocol: 2})
	defer c.Close()
	v, err := c.Do(context.Background(), args...).Result()
	if list, ok := v.([]any); ok {
		return strings.Trim(fmt.Sprint(list), "[]"), err
	}
	return fmt.Sprint(v), err
}
