package redis

import (
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Bounds of the connections of our own, where the user's options leave more or none.
const (
	readTimeout = 3 * time.Second
	dialTimeout = 2 * time.Second
	poolTimeout = time.Minute // a crowd of callers has to queue for connections, and that is no failure of the server
)

// clients are the connections of a backend.
type clients struct {
	calls  redis.UniversalClient // acquires, releases, what people ask for
	urgent redis.UniversalClient // renewals, heartbeats, what is given back: few, and they must not queue behind the others
	lane   *lane                 // for one caller at a time; nil in a cluster, and where the pool is shared
	own    bool                  // made by us, and closed by us
	batch  bool                  // one script call may name several names: all keys lie on one node
}

// connect derives clients from the user's: same server and credentials, connections of their own, so that an
// application that exhausts its pool does not lose its leases. Nothing of the user's client is changed. A kind of client
// that is not known, and with it its hooks, is used as it is.
func connect(c redis.UniversalClient, o options) clients {
	switch c := c.(type) {
	case *redis.Client:
		if o.sharedPool {
			return clients{calls: c, urgent: c, batch: true}
		}
		calls, urgent := deriveSingle(c, o), deriveSingle(c, o)
		return clients{
			calls: redis.NewClient(&calls), urgent: redis.NewClient(&urgent), lane: newLane(deriveSingle(c, o)),
			own: true, batch: true,
		}
	case *redis.ClusterClient:
		if o.sharedPool {
			break
		}
		return clients{calls: deriveCluster(c, o), urgent: deriveCluster(c, o), own: true}
	}
	return clients{calls: c, urgent: c}
}

func deriveSingle(c *redis.Client, o options) redis.Options {
	opt := *c.Options()
	opt.ContextTimeoutEnabled = true
	opt.PushNotificationProcessor = nil // it belongs to the other client
	opt.ClientSideCache = nil
	opt.AutoPipelineOptions = nil
	opt.MinIdleConns = 0
	opt.PoolTimeout = poolTimeout
	opt.DialerRetries = 1
	opt.DialTimeout = bounded(opt.DialTimeout, dialTimeout)
	opt.ReadTimeout = bounded(opt.ReadTimeout, readTimeout) + waitTime(o)
	opt.WriteTimeout = bounded(opt.WriteTimeout, readTimeout)
	opt.MaxRetries = restore(opt.MaxRetries)
	opt.MinRetryBackoff = restoreSpan(opt.MinRetryBackoff)
	opt.MaxRetryBackoff = restoreSpan(opt.MaxRetryBackoff)
	return opt
}

func deriveCluster(c *redis.ClusterClient, o options) redis.UniversalClient {
	opt := *c.Options()
	opt.Addrs = slices.Clone(opt.Addrs) // a client appends the nodes that it learns of
	opt.ContextTimeoutEnabled = true
	opt.ReadOnly, opt.RouteByLatency, opt.RouteRandomly = false, false, false // locks live on masters
	opt.MinIdleConns = 0
	opt.PoolTimeout = poolTimeout
	opt.DialerRetries = 1
	opt.DialTimeout = bounded(opt.DialTimeout, dialTimeout)
	opt.ReadTimeout = bounded(opt.ReadTimeout, readTimeout) + waitTime(o)
	opt.WriteTimeout = bounded(opt.WriteTimeout, readTimeout)
	opt.MaxRedirects = restore(opt.MaxRedirects)
	opt.MinRetryBackoff = restoreSpan(opt.MinRetryBackoff)
	opt.MaxRetryBackoff = restoreSpan(opt.MaxRetryBackoff)
	return redis.NewClusterClient(&opt)
}

// waitTime is what WAIT adds to the time that an answer takes.
func waitTime(o options) time.Duration {
	if o.replicas == 0 {
		return 0
	}
	return o.replicaTimeout
}

// bounded returns d, or most if d is more or stands for "none".
func bounded(d, most time.Duration) time.Duration {
	if d <= 0 || d > most {
		return most
	}
	return d
}

// restore undoes what a client does to its own options: it writes 0 for -1, "none", and 0 means the default.
func restore(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

func restoreSpan(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

func (c clients) close() {
	if c.own {
		c.calls.Close() // nothing can be done about an error, and nothing is left to lose
		c.urgent.Close()
		if c.lane != nil {
			_ = c.lane.client.Close()
		}
	}
}
