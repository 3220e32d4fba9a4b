// Package check looks whether a Redis server is fit for locks, see Check of package redis.
package check

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
)

// maxNodes bounds the masters of a cluster that are looked at: the largest size that Redis recommends.
const maxNodes = 1000

// clockApart is how far apart clocks may be before it is worth a word.
const clockApart = time.Second

// Target is what is looked at, and by whom.
type Target struct {
	Client   redis.UniversalClient
	Prefix   string // of the store's keys
	Keys     []any  // of some name
	Channel  string // of the client's inbox
	Replicas int    // that a grant waits for
	Timeout  time.Duration
	Classify func(error) error // gives an error its sentinel
}

// Run looks at the server, or at each master of a cluster. The error is that of servers that do not
// answer, or of ctx.
func Run(ctx context.Context, t Target) (found []backends.Finding, err error) {
	nodes, err := t.nodes(ctx)
	if err != nil {
		x := exam{Target: t, ctx: ctx, node: &node{client: t.Client}}
		err = x.unanswered(err)
		return x.found, err
	}
	reached := false
	for i := range nodes {
		x := exam{Target: t, ctx: ctx, node: &nodes[i], many: len(nodes) > 1}
		failed := x.run()
		if failed != nil && x.many && ctx.Err() == nil {
			x.add(backends.Finding{Level: backends.Failure, Topic: "connection", What: "it does not answer: " + failed.Error(),
				Means: "the names that it keeps cannot be used", Mend: "start it, or wait until a replica has taken over"})
			err = failed
		} else if failed != nil {
			return append(found, x.found...), failed
		}
		reached = reached || failed == nil
		found = append(found, x.found...)
	}
	if reached {
		err = nil
	}
	return found, err
}

// node is a server that keeps locks.
type node struct {
	client redis.UniversalClient
	addr   string
}

func (t Target) nodes(ctx context.Context) ([]node, error) {
	cluster, ok := t.Client.(*redis.ClusterClient)
	if !ok {
		return []node{{client: t.Client}}, nil
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
	Target
	ctx   context.Context
	node  *node
	many  bool
	info  map[string]string
	found []backends.Finding

	hidden bool // CONFIG GET is refused, and a finding says so
}

func (x *exam) add(f backends.Finding) {
	if x.many {
		f.What = x.node.addr + ": " + f.What
	}
	x.found = append(x.found, f)
}

// run looks at one server. The error is that of a server that does not answer, or of the context.
func (x *exam) run() error {
	evalErr := x.rightsAndClock()
	text, infoErr := x.node.client.Info(x.ctx, "everything").Result()
	x.info = parseInfo(text)
	switch {
	case x.ctx.Err() != nil:
		return backends.Ended(x.ctx)
	case evalErr != nil && infoErr != nil && !replied(evalErr) && !replied(infoErr):
		return x.unanswered(evalErr)
	case x.info["redis_mode"] == "sentinel":
		x.sentinel()
		return nil
	case evalErr != nil:
		x.refusal(evalErr)
	}
	if infoErr != nil {
		if evalErr == nil || evalErr.Error() != infoErr.Error() {
			x.withoutInfo(infoErr)
		}
		return nil
	}
	x.version()
	x.role()
	x.cluster()
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
func (x *exam) config(name string) string {
	values, err := x.node.client.ConfigGet(x.ctx, name).Result()
	if err != nil && !x.hidden {
		x.hidden = true
		x.add(backends.Finding{Level: backends.Note, Topic: "server",
			What:  "the server does not tell its configuration: " + err.Error(),
			Means: "appendfsync and min-replicas-to-write are not checked", Mend: "check as a user with the right +config|get"})
	}
	return values[name]
}

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
	n, want := x.count("connected_slaves"), int64(x.Replicas)
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
