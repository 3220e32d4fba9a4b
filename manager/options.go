package manager

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// The defaults of the options.
const (
	DefaultTTL            = 10 * time.Second
	DefaultHandoffs       = 64
	DefaultHandoffTime    = 10 * time.Millisecond
	DefaultReleaseTimeout = 5 * time.Second
)

// Parts of the time to live: when things happen to a lease.
const (
	marginPart  = 6  // default stop margin: TTL/6
	minimumPart = 10 // default minimum hold: TTL/10
	renewPart   = 4  // a renewal is due after TTL/4 …
	jitterPart  = 24 // … plus up to TTL/24, and waits up to TTL/24 for company: sent before TTL/3
	attemptPart = 6  // one attempt may take TTL/6
	retryPart   = 20 // the first retry comes after TTL/20, the next after twice that, up to TTL/6
)

// An Option configures a Manager. Options are made by the With functions.
type Option struct{ apply func(*config) error }

type config struct {
	ttl            time.Duration
	margin         time.Duration // -1: default
	minimum        time.Duration // -1: default
	maxHold        time.Duration // 0: none
	handoffs       int
	handoffTime    time.Duration
	idleHold       time.Duration
	releaseTimeout time.Duration
	label          string
	logger         *slog.Logger
	observer       observer
	historyKey     func(string) (string, bool) // nil: no history
}

// WithTTL sets how long the store keeps a lease that is not renewed any more: after at most this
// time a crashed process's resources are free. Leases are renewed after a third of it. Default 10
// s, range 100 ms to 24 h. Where leases do not expire, it only sets how often the manager looks for
// dropped leases ([Lease]).
func WithTTL(d time.Duration) Option {
	return Option{func(c *config) error {
		c.ttl = d
		return backends.CheckTTL(d)
	}}
}

// WithStopMargin sets how long before the store may grant a lease to another its holder is told
// that it is lost: the time to stop in. After a loss of any kind, nothing in this process is
// granted the resource until the holder has called Release or the margin has passed. Default a
// sixth of the TTL; 0 to a third of it.
func WithStopMargin(d time.Duration) Option {
	return Option{func(c *config) error {
		c.margin = d
		return within("stop margin", d, 0, backends.MaxTTL/3)
	}}
}

// WithMinHold sets how long a grant must leave its holder before it must stop: a waiter is not given
// a grant that leaves less than d. Default a tenth of the TTL; 0 to a third of it.
func WithMinHold(d time.Duration) Option {
	return Option{func(c *config) error {
		c.minimum = d
		return within("minimum hold", d, 0, backends.MaxTTL/3)
	}}
}

// WithMaxHold ends every lease that has been held for d: its holder is told (reason MaxHold), and a
// stop margin later the resource is given on, whether or not it was released. Default 0: no limit.
//
// For an All, d counts from the grant of the last part. A re-entrant lease has a limit of its own
// and ends alone at it; a stop margin later the grant no longer waits for its release. If the lease
// that it re-entered is still held at that lease's limit, all leases of the grant end.
func WithMaxHold(d time.Duration) Option {
	return Option{func(c *config) error {
		c.maxHold = d
		return within("maximum hold", d, 0, maxDuration)
	}}
}

// WithLocalHandoffs bounds how often (n), and for how long (d), a resource is handed from one
// waiter of this process to the next once another process is seen to wait: then it goes back to the
// store, whose queue decides. While no other process waits there is no bound. Default 64 and 10 ms.
// With n = 0 or d = 0 nothing is handed on: each grant comes from the store, and the processes take
// turns. A process has one place in the store's queue: its next waiter joins at the end.
func WithLocalHandoffs(n int, d time.Duration) Option {
	return Option{func(c *config) error {
		c.handoffs, c.handoffTime = n, d
		if n < 0 || n > backends.MaxTokens {
			return &InvalidError{Field: "hand-offs", Value: n, Want: fmt.Sprintf("0 to %d", backends.MaxTokens)}
		}
		return within("hand-off time", d, 0, time.Minute)
	}}
}

// WithReleaseTimeout bounds how long a Release waits for the store. Default 5 s, range 1 ms to 1 h.
func WithReleaseTimeout(d time.Duration) Option {
	return Option{func(c *config) error {
		c.releaseTimeout = d
		return within("release timeout", d, time.Millisecond, time.Hour)
	}}
}

// WithLabel names this manager for people who look at the store: see Inspect. At most 1024 bytes;
// default none.
func WithLabel(s string) Option {
	return Option{func(c *config) error {
		c.label = s
		if len(s) > backends.MaxName {
			return &InvalidError{Field: "label", Value: s, Want: fmt.Sprintf("at most %d bytes", backends.MaxName)}
		}
		return nil
	}}
}

// WithLogger has losses, failed renewals and failed releases logged. The handler is called on
// goroutines of its own, so a slow one delays nothing, not even Close. Default: no log.
func WithLogger(l *slog.Logger) Option {
	return Option{func(c *config) error {
		c.logger = l
		if l == nil {
			return &InvalidError{Field: "logger", Value: "nil", Want: "a logger"}
		}
		return nil
	}}
}

// An AcquireOption configures one acquire.
type AcquireOption struct{ apply func(*acquireConfig) error }

type acquireConfig struct {
	maxHold time.Duration // 0: no limit
	atLeast time.Duration // 0: none
}

// HoldAtMost ends this lease when it has been held for d, by the rules of [WithMaxHold]. The
// smaller limit wins. At least 1 ms.
func HoldAtMost(d time.Duration) AcquireOption {
	return AcquireOption{func(c *acquireConfig) error {
		c.maxHold = d
		return within("maximum hold", d, time.Millisecond, maxDuration)
	}}
}

const maxDuration = 100 * 365 * 24 * time.Hour // far from overflowing when added to now

func within(field string, d, lo, hi time.Duration) error {
	if d < lo || d > hi {
		return &InvalidError{Field: field, Value: d, Want: fmt.Sprintf("%v to %v", lo, hi)}
	}
	return nil
}

func newConfig(opts []Option) (config, error) {
	c := config{
		ttl: DefaultTTL, margin: -1, minimum: -1,
		handoffs: DefaultHandoffs, handoffTime: DefaultHandoffTime, releaseTimeout: DefaultReleaseTimeout,
	}
	for _, o := range opts {
		if o.apply == nil {
			return c, &InvalidError{Field: "option", Value: "zero", Want: "one made by a With function"}
		}
		if err := o.apply(&c); err != nil {
			return c, err
		}
	}
	if c.margin < 0 {
		c.margin = c.ttl / marginPart
	}
	if c.minimum < 0 {
		c.minimum = c.ttl / minimumPart
	}
	if c.handoffTime == 0 {
		c.handoffs = 0
	}
	if err := within("idle hold", c.idleHold, 0, c.ttl/2); err != nil {
		return c, err
	}
	// A renewal and one full attempt must fit before the holder would have to stop.
	if err := within("stop margin", c.margin, 0, c.ttl/3); err != nil {
		return c, err
	}
	if err := within("minimum hold", c.minimum, 0, c.ttl/3); err != nil {
		return c, err
	}
	return c, within("stop margin plus minimum hold", c.margin+c.minimum, 0, c.ttl*2/5)
}

func (c *config) owner() backends.Owner {
	host, _ := os.Hostname() // only for people
	return backends.Owner{Host: host, PID: os.Getpid(), Label: c.label}
}

// configure returns what the manager and the options say of one acquire.
func (m *Manager) configure(opts []AcquireOption) (acquireConfig, error) {
	a := acquireConfig{}
	for _, o := range opts {
		if o.apply == nil {
			return a, &InvalidError{Field: "option", Value: "zero", Want: "one made by this package"}
		}
		if err := o.apply(&a); err != nil {
			return a, err
		}
	}
	if most := m.cfg.maxHold; a.maxHold == 0 || most != 0 && most < a.maxHold {
		a.maxHold = most
	}
	return a, a.checkAtLeast(&m.caps)
}
