package redis

import (
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Option changes how a [Backend] uses its server. All clients of the same locks should have the same options.
type Option struct{ apply func(*options) }

type options struct {
	prefix         string
	grace          time.Duration
	heartbeat      time.Duration
	replicas       int
	replicaTimeout time.Duration
	sharedPool     bool
}

// WithPrefix sets what all keys and channels begin with. Applications with different prefixes do not see each other's
// locks. Default "lk:"; 1 to 128 bytes without braces, which would break the keys' hash tag.
func WithPrefix(p string) Option { return Option{func(o *options) { o.prefix = p }} }

// WithGrace sets how much longer the server keeps a grant than its time to live. A holder that stops in time leaves
// this much before another one starts, besides the margin of [backends.ValidUntil]; a dead holder's resource is free
// that much later. Default 50 ms; 0 to 1 h.
func WithGrace(d time.Duration) Option { return Option{func(o *options) { o.grace = d }} }

// WithHeartbeat sets how often a client that waits asks the server how its requests stand, in one
// command for each 256 names. It is also how late a grant is noticed whose message was lost, or
// whose keys were. A client that waits for many names asks less often: 200 µs for each name, so
// every 2 s for 10 000 names and every 10 s for 50 000.
//
// A waiter counts as dead when three or four heartbeats are missing; what it was granted before
// that goes to the next when it has not been heard of for two to four. Default 950 ms,
// so that a lost message is noticed within a second; 50 ms to 1 min.
func WithHeartbeat(d time.Duration) Option { return Option{func(o *options) { o.heartbeat = d }} }

// WithWaitReplicas makes every grant and renewal wait until n replicas have confirmed it, at most for the timeout:
// then it is undone and fails with [backends.ErrUnavailable]. It narrows the window in which a failover can forget a
// grant; it does not close it, for a replica that confirmed need not be the one that is promoted. Costs a
// round trip to the replicas. Default 0: none. n 1 to 16, timeout 1 ms to 10 s.
func WithWaitReplicas(n int, timeout time.Duration) Option {
	return Option{func(o *options) { o.replicas, o.replicaTimeout = n, timeout }}
}

// WithSharedPool makes the backend use the connections of the client that it is given, and the hooks that were added to
// it, rather than connections of its own. Then whoever exhausts that pool also stops renewals, and leases end.
func WithSharedPool() Option { return Option{func(o *options) { o.sharedPool = true }} }

func newOptions(opts []Option) (options, error) {
	o := options{prefix: "lk:", grace: 50 * time.Millisecond, heartbeat: 950 * time.Millisecond, replicaTimeout: time.Second}
	for _, opt := range opts {
		if opt.apply == nil {
			return o, &backends.InvalidError{Field: "option", Value: opt, Want: "one made by a With function"}
		}
		opt.apply(&o)
	}
	switch {
	case o.prefix == "" || len(o.prefix) > 128 || strings.ContainsAny(o.prefix, "{}"):
		return o, &backends.InvalidError{Field: "prefix", Value: o.prefix, Want: "1 to 128 bytes without braces"}
	case o.grace < 0 || o.grace > time.Hour:
		return o, &backends.InvalidError{Field: "grace", Value: o.grace, Want: "0 to 1h"}
	case o.heartbeat < 50*time.Millisecond || o.heartbeat > time.Minute:
		return o, &backends.InvalidError{Field: "heartbeat", Value: o.heartbeat, Want: "50ms to 1m"}
	case o.replicas < 0 || o.replicas > 16:
		return o, &backends.InvalidError{Field: "replicas", Value: o.replicas, Want: "0 to 16"}
	case o.replicaTimeout < time.Millisecond || o.replicaTimeout > 10*time.Second:
		return o, &backends.InvalidError{Field: "replica timeout", Value: o.replicaTimeout, Want: "1ms to 10s"}
	}
	return o, nil
}
