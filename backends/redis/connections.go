package redis

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Bounds of the connections of our own, where the user's options leave more or none.
const (
	// A command lost with a dead server must not delay its caller long after the server is back.
	readTimeout = 1500 * time.Millisecond
	dialTimeout = 1500 * time.Millisecond
	poolTimeout = time.Minute // a crowd of callers has to queue for connections, and that is no failure of the server
)

// connections are the connections of a backend.
type connections struct {
	calls  redis.UniversalClient // acquires, releases, what people ask for
	urgent redis.UniversalClient // renewals, heartbeats, what is given back: few, and they must not queue behind the others
	lane   *lane                 // for one caller at a time; nil in a cluster, and where the pool is shared
	own    bool                  // made by us, and closed by us
	batch  bool                  // one script call may name several names: all keys lie on one node

	repeats repeats // of commands that got no answer
}

// connect derives clients from the user's: same server and credentials, connections of their own, so that an
// application that exhausts its pool does not lose its leases. Nothing of the user's client is changed. A kind of client
// that is not known, and with it its hooks, is used as it is.
func connect(c redis.UniversalClient, o options) connections {
	switch c := c.(type) {
	case *redis.Client:
		opt := c.Options()
		all := connections{calls: c, urgent: c, batch: true}
		all.repeats = repeats{opt.MaxRetries, opt.MinRetryBackoff, opt.MaxRetryBackoff}
		if !o.sharedPool {
			calls, urgent := deriveSingle(c, o), deriveSingle(c, o)
			e := new(eras)
			calls.Dialer, urgent.Dialer = e.watch(dialerOf(&calls)), e.watch(dialerOf(&urgent))
			all.calls, all.urgent = redis.NewClient(&calls), redis.NewClient(&urgent)
			all.lane, all.own = newLane(deriveSingle(c, o), e), true
		}
		return all
	case *redis.ClusterClient:
		opt := c.Options()
		all := connections{calls: c, urgent: c}
		all.repeats = repeats{opt.MaxRedirects, opt.MinRetryBackoff, opt.MaxRetryBackoff}
		if !o.sharedPool {
			e := new(eras)
			all.calls, all.urgent, all.own = deriveCluster(c, o, e), deriveCluster(c, o, e), true
		}
		return all
	}
	return connections{calls: c, urgent: c, repeats: repeats{3, 10 * time.Millisecond, time.Second}}
}

// checkClient refuses a client that cannot work. The backend needs a subscription whose channel is
// named later. A Ring panics when asked for one, and so does a nil pointer of any type, however it
// is wrapped.
func checkClient(c redis.UniversalClient) (err error) {
	invalid := &backends.InvalidError{
		Field: "client", Value: fmt.Sprintf("%T", c), Want: "a client of one server, a Sentinel group or a cluster",
	}
	if v := reflect.ValueOf(c); v.Kind() == reflect.Pointer && v.IsNil() {
		invalid.Value = fmt.Sprintf("nil %T", c)
	}
	if _, ok := c.(*redis.AutoPipeliner); ok {
		return invalid
	}
	defer func() {
		if recover() != nil {
			err = invalid
		}
	}()
	sub := c.Subscribe(context.Background()) // no I/O
	if sub == nil {
		return invalid
	}
	sub.Close()
	return nil
}

// dialerOf returns the dial function of a client with these options.
func dialerOf(opt *redis.Options) dialFunc {
	if opt.Dialer != nil {
		return opt.Dialer
	}
	return redis.NewDialer(opt)
}

func (e *eras) watch(dial dialFunc) dialFunc { return (&dialing{dial: dial, eras: e}).Dial }

// noNotifications saves a command on each connection. The user's client changes its own configuration
// when it first connects, under a lock that we do not have, so we must not read that.
func noNotifications() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

func deriveSingle(c *redis.Client, o options) redis.Options {
	opt := *c.Options()
	opt.ContextTimeoutEnabled = true
	opt.PushNotificationProcessor = nil // it belongs to the other client
	opt.MaintNotificationsConfig = noNotifications()
	opt.ClientSideCache = nil
	opt.AutoPipelineOptions = nil
	opt.MinIdleConns = 0
	opt.PoolTimeout = poolTimeout
	opt.DialerRetries = 1
	opt.DialTimeout = bounded(opt.DialTimeout, dialTimeout)
	opt.ReadTimeout = bounded(opt.ReadTimeout, readTimeout) + waitTime(o)
	opt.WriteTimeout = bounded(opt.WriteTimeout, readTimeout)
	opt.MaxRetries = -1 // we repeat commands ourselves
	opt.MinRetryBackoff = restoreSpan(opt.MinRetryBackoff)
	opt.MaxRetryBackoff = restoreSpan(opt.MaxRetryBackoff)
	return opt
}

func deriveCluster(c *redis.ClusterClient, o options, e *eras) redis.UniversalClient {
	opt := *c.Options()
	opt.Addrs = slices.Clone(opt.Addrs) // a client appends the nodes that it learns of
	opt.ContextTimeoutEnabled = true
	opt.MaintNotificationsConfig = noNotifications()
	opt.ReadOnly, opt.RouteByLatency, opt.RouteRandomly = false, false, false // locks live on masters
	opt.MinIdleConns = 0
	opt.PoolTimeout = poolTimeout
	opt.DialerRetries = 1
	opt.DialTimeout = bounded(opt.DialTimeout, dialTimeout)
	opt.ReadTimeout = bounded(opt.ReadTimeout, readTimeout) + waitTime(o)
	opt.WriteTimeout = bounded(opt.WriteTimeout, readTimeout)
	opt.MaxRetries = -1 // we repeat commands ourselves
	opt.MaxRedirects = restore(opt.MaxRedirects)
	opt.MinRetryBackoff = restoreSpan(opt.MinRetryBackoff)
	opt.MaxRetryBackoff = restoreSpan(opt.MaxRetryBackoff)
	node := opt.NewClient
	opt.NewClient = func(opt *redis.Options) *redis.Client {
		opt.Dialer = e.watch(dialerOf(opt))
		return node(opt)
	}
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

func (c connections) close() {
	if c.own {
		c.calls.Close() // nothing can be done about an error, and nothing is left to lose
		c.urgent.Close()
		if c.lane != nil {
			_ = c.lane.client.Close()
		}
	}
}
