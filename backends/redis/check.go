package redis

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
)

var _ backends.Checker = (*Backend)(nil)

var (
	//go:embed lua/rights.lua
	rightsLua string
)

// maxNodes bounds the masters of a cluster that are looked at: the largest size that Redis recommends.
const maxNodes = 1000

// clockApart is how far apart clocks may be before it is worth a word.
const clockApart = time.Second

// Check looks at the server, or at each master of a cluster: version, role, eviction, persistence, replicas, rights and
// clock. It writes nothing. What the user may not see (INFO and CONFIG GET are not among the least rights) is a note. See [backends.Checker].
func (b *Backend) Check(ctx context.Context) ([]backends.Finding, error) {
	var found []backends.Finding
	var err error
	e := b.call(ctx, func(ctx context.Context) message {
		var nodes []node
		if nodes, err = b.nodes(ctx); err != nil {
			err = b.classify(err)
			return nil
		}
		for i := range nodes {
			x := exam{b: b, ctx: ctx, node: &nodes[i], many: len(nodes) > 1}
			if err = x.run(); err != nil {
				return nil
			}
			found = append(found, x.found...)
		}
		return nil
	})
	if e != nil { // and found and err are the task's alone
		return nil, wrap("check", "", e)
	}
	return found, wrap("check", "", blame(ctx, err))
}

// node is a server that keeps locks.
type node struct {
	client redis.UniversalClient
	addr   string
}

func (b *Backend) nodes(ctx context.Context) ([]node, error) {
	cluster, ok := b.clients.calls.(*redis.ClusterClient)
	if !ok {
		return []node{{client: b.clients.calls}}, nil
	}
	masters := make(chan node, maxNodes)
	err := cluster.ForEachMaster(ctx, func(_ context.Context, c *redis.Client) error {
		select {
		case masters <- node{c, c.Options().Addr}:
		default:
		}
		return nil
	})
	close(masters)
	var all []node
	for n := range masters {
		all = append(all, n)
	}
	return all, err
}

// exam is the look at one node.
type exam struct {
	b     *Backend
	ctx   context.Context
	node  *node
	many  bool
	info  map[string]string
	found []backends.Finding
}

func (x *exam) add(f backends.Finding) {
	if x.many {
		f.What = x.node.addr + ": " + f.What
	}
	x.found = append(x.found, f)
}

func (x *exam) run() error {
	if err := x.rightsAndClock(); err != nil {
		return x.b.classify(err)
	}
	text, err := x.node.client.Info(x.ctx, "everything").Result()
	if err != nil {
		if x.ctx.Err() != nil {
			return ended(x.ctx)
		}
		x.add(backends.Finding{Level: backends.Note, Topic: "server",
			What:  "the server does not tell about itself: " + err.Error(),
			Means: "version, eviction, persistence and replicas could not be looked at",
			Mend:  "check as a user with the right +info and +config|get"})
		return nil
	}
	x.info = parseInfo(text)
	x.version()
	x.role()
	x.eviction()
	x.persistence()
	x.replicas()
	return nil
}

// parseInfo reads the answer to INFO.
func parseInfo(text string) map[string]string {
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[k] = v
		}
	}
	return info
}

// config is a parameter of the server, or "" if the user may not see it.
func (x *exam) config(name string) string { return x.node.client.ConfigGet(x.ctx, name).Val()[name] }

// count is a number from INFO; 0 if it is missing.
func (x *exam) count(field string) int64 {
	n, _ := strconv.ParseInt(x.info[field], 10, 64)
	return n
}

func (x *exam) version() {
	kind, v := "Redis", x.info["redis_version"]
	if valkey := x.info["valkey_version"]; valkey != "" {
		kind, v = "Valkey", valkey
	}
	f := backends.Finding{Topic: "version", What: kind + " " + v}
	major, _, _ := strings.Cut(v, ".")
	if n, err := strconv.Atoi(major); err != nil || n < 7 {
		f.Level = backends.Failure
		f.Means = "the scripts need Redis 7 or later, or Valkey"
		f.Mend = "upgrade the server"
	}
	x.add(f)
}

func (x *exam) role() {
	f := backends.Finding{Topic: "role", What: "it is a primary"}
	if x.info["role"] != "master" {
		f = backends.Finding{Level: backends.Failure, Topic: "role", What: "it is a replica of " + x.info["master_host"],
			Means: "it refuses all writes, so nothing can be acquired", Mend: "connect to the primary, or through Sentinel"}
	}
	x.add(f)
}

func (x *exam) eviction() {
	policy := x.info["maxmemory_policy"]
	f := backends.Finding{Topic: "eviction", What: "maxmemory-policy is " + policy}
	switch {
	case policy == "noeviction":
	case x.count("maxmemory") == 0:
		f.Level = backends.Note
		f.What += ", but memory has no limit"
		f.Means = "locks are safe until somebody sets maxmemory"
		f.Mend = "CONFIG SET maxmemory-policy noeviction"
	default:
		f.Level = backends.Failure
		f.Means = "when memory is full the server throws locks away, and two processes hold the same one; only fencing tokens protect"
		f.Mend = "CONFIG SET maxmemory-policy noeviction, or a server of its own for locks"
	}
	x.add(f)
}

func (x *exam) persistence() {
	f := backends.Finding{Topic: "persistence"}
	sync := x.config("appendfsync")
	switch {
	case x.info["aof_last_write_status"] == "err" || x.info["rdb_last_bgsave_status"] == "err":
		f.Level, f.What = backends.Failure, "the last write to disk failed"
		f.Means = "the server refuses all writes until one succeeds (unless stop-writes-on-bgsave-error is no)"
		f.Mend = "look for a full or read-only disk in the server's log"
	case x.info["aof_enabled"] != "1":
		f.Level, f.What = backends.Warning, "there is no append-only file"
		f.Means = "a restart forgets who holds what: holders are told at their next renewal, others may be granted before that; " +
			"tokens still increase, by the server's clock"
		f.Mend = "CONFIG SET appendonly yes, and the same in its configuration file; or let a restart take longer than the longest TTL"
	case sync == "always":
		f.What = "appendonly is on, appendfsync is always"
	default:
		f.Level, f.What = backends.Note, "appendonly is on, appendfsync is "+orUnknown(sync)
		f.Means = "a crash of the machine may forget the grants of about the last second"
		f.Mend = "CONFIG SET appendfsync always, where that matters more than speed"
	}
	x.add(f)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func (x *exam) replicas() {
	n, want := x.count("connected_slaves"), int64(x.b.opt.replicas)
	f := backends.Finding{Topic: "replicas", What: fmt.Sprintf("%d connected", n)}
	least, _ := strconv.ParseInt(x.config("min-replicas-to-write"), 10, 64)
	switch {
	case n < max(want, least):
		f.Level = backends.Failure
		f.What += fmt.Sprintf(", but WithWaitReplicas asks for %d, and min-replicas-to-write for %d", want, least)
		f.Means = "nothing can be acquired"
		f.Mend = "connect more replicas, or ask for fewer"
	case n > 0 && want == 0:
		f.Level = backends.Warning
		f.Means = "a failover to a replica that has not yet heard of a grant forgets it, and two processes hold the same lock until the first one's renewal"
		f.Mend = "WithWaitReplicas(1, …) narrows that; fencing tokens close it"
	case n > 0 && least == 0:
		f.Level = backends.Note
		f.What += ", min-replicas-to-write is 0 or unknown"
		f.Means = "a primary that is cut off from its replicas goes on granting while one of them takes over"
		f.Mend = "CONFIG SET min-replicas-to-write 1, and min-replicas-max-lag to less than the TTL"
	}
	x.add(f)
}

// rightsAndClock is the only look that must succeed.
func (x *exam) rightsAndClock() error {
	sent := time.Now()
	args := append(x.b.address("check").keys[:3:3], x.b.channel)
	v, err := x.node.client.Eval(x.ctx, rightsLua, nil, args...).Result()
	trip := time.Since(sent)
	r, err := asReply(v, err)
	if err != nil {
		return err
	}
	refused := r.list(0)
	if x.b.opt.replicas == 0 {
		delete(refused, "wait")
	}
	x.rights(refused)
	server, here := time.UnixMicro(r.int(1)), sent.Add(trip/2)
	apart := server.Sub(here).Round(time.Millisecond)
	f := backends.Finding{Topic: "clock", What: fmt.Sprintf("the server's clock is within %v of this machine's", max(apart.Abs(), trip))}
	if apart.Abs()-trip/2 > clockApart {
		f.Level, f.What = backends.Note, fmt.Sprintf("the server's clock is %v apart from this machine's", apart)
		f.Means = "nothing while this server lives, since only its clock counts; if it loses its data to one whose clock is " +
			"behind, tokens may repeat"
		f.Mend = "run NTP on every server"
	}
	x.add(f)
	return nil
}

// rights says which of the commands that may be refused are.
func (x *exam) rights(refused map[string]bool) {
	names := func(of ...string) (some []string) {
		for _, n := range of {
			if refused[n] {
				some = append(some, "+"+n)
				delete(refused, n)
			}
		}
		return some
	}
	channels, scan := names("publish", "subscribe", "unsubscribe"), names("scan")
	if len(refused) > 0 {
		rest := make([]string, 0, len(refused))
		for n := range refused {
			rest = append(rest, "+"+n)
		}
		x.lacks(backends.Failure, rest, "locks cannot be used")
	}
	if len(channels) > 0 {
		x.lacks(backends.Warning, channels, "waiters hear of a grant from their heartbeat only, up to a second late")
	}
	if len(scan) > 0 {
		x.lacks(backends.Note, scan, "names in use cannot be listed")
	}
	if len(refused)+len(channels)+len(scan) == 0 {
		x.add(backends.Finding{Topic: "rights", What: "the user may do all that is needed"})
	}
}

func (x *exam) lacks(l backends.Level, rights []string, means string) {
	slices.Sort(rights)
	x.add(backends.Finding{Level: l, Topic: "rights", What: "the user lacks " + strings.Join(rights, " "), Means: means,
		Mend: fmt.Sprintf("ACL SETUSER <user> ~%s* &%s* %s", x.b.opt.prefix, x.b.opt.prefix, strings.Join(rights, " "))})
}
