package actor

import (
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

const (
	defaultMailbox = 16 // unless WithMailbox says otherwise
	largestMailbox = 1 << 24
)

// A SpawnOption configures an actor.
type SpawnOption func(spawnConfig) (spawnConfig, error)

type spawnConfig struct {
	mailbox int
	policy  Supervision
	idle    time.Duration
}

// WithMailbox sets how many messages the mailbox holds: at least 1, 16 by default, at most 2²⁴, for
// all of it is memory from the start.
func WithMailbox(n int) SpawnOption {
	return func(c spawnConfig) (spawnConfig, error) {
		if n < 1 || n > largestMailbox {
			return c, fmt.Errorf("mailbox of %d messages: must hold 1 to %d", n, largestMailbox)
		}
		c.mailbox = n
		return c, nil
	}
}

// WithSupervision sets what becomes of the actor when it fails: [Stop] by default,
// [Restart] or [Escalate].
func WithSupervision(s Supervision) SpawnOption {
	return func(c spawnConfig) (spawnConfig, error) {
		if s.backoff < 0 || s.budget < 0 {
			return c, fmt.Errorf("restart with backoff %v and budget %d: must not be negative", s.backoff, s.budget)
		}
		c.policy = s
		return c, nil
	}
}

// WithIdleTimeout ends an actor that had nothing to do for d: no message, no task, no
// timer, no deferred ask, no child. It ends between d and 2d after it last had, as by
// [Ref.Stop], but never with a message in its mailbox: a sender that comes too late gets
// [ErrStopped], nothing having been sent, and spawns the actor anew. d must be more
// than zero; the default is never. It makes each send dearer by two atomic additions.
func WithIdleTimeout(d time.Duration) SpawnOption {
	return func(c spawnConfig) (spawnConfig, error) {
		if d <= 0 {
			return c, fmt.Errorf("idle timeout of %v: must be more than zero", d)
		}
		c.idle = d
		return c, nil
	}
}

// Spawn starts an actor under a [System] or, as its child, under another actor's [Self].
//
// Start makes the actor's first behavior. It runs on the caller's goroutine, before Spawn returns;
// after that it and what it touched belong to the actor, which calls it again after a restart.
// The name is for people: it need not be unique, but not be empty.
//
// Success: the actor runs. Failure: there is none, and what start began has ended: start's
// error or panic, a wrong option, or [ErrStopped] if the scope is ending.
//
// An idle actor costs a goroutine and its mailbox; see [OnDemand] for one that costs nothing.
func Spawn[M any](in Scope, name string, start func(*Self[M]) (Behavior[M], error), opts ...SpawnOption) (Ref[M], error) {
	if in == nil || name == "" || start == nil {
		return Ref[M]{}, errIncomplete
	}
	system, parent := in.owner()
	if system == nil {
		return Ref[M]{}, errIncomplete
	}
	config := spawnConfig{mailbox: defaultMailbox}
	for _, opt := range opts {
		if opt == nil {
			return Ref[M]{}, fmt.Errorf("actor: spawn %s: a nil option", name)
		}
		var err error
		if config, err = opt(config); err != nil { // by value, so that it need not be on the heap
			return Ref[M]{}, fmt.Errorf("actor: spawn %s: %w", name, err)
		}
	}
	c := newCell(system, parent, name, start, config)
	if err := c.system.join(c.parent, &c.core); err != nil {
		c.lifetime.end(&ErrStopped)
		return Ref[M]{}, err
	}
	if err := c.firstStart(); err != nil {
		return Ref[M]{}, fmt.Errorf("actor: spawn %s: %w", name, err)
	}
	c.armIdle()
	go c.run()
	return Ref[M]{c}, nil
}

var errIncomplete = errors.New("actor: spawn needs a scope, a name and a start function")

func newCell[M any](
	system *System, parent *core, name string, start func(*Self[M]) (Behavior[M], error), config spawnConfig,
) *cell[M] {
	if parent != nil {
		name = parent.name + "/" + name
	}
	c := &cell[M]{
		core: core{
			name: name, system: system, parent: parent, escalates: config.policy.escalate, bubbled: bubbles.Inside(),
			done: make(chan struct{}),
		},
		mail:  make(chan envelope[M], config.mailbox),
		start: start,
	}
	c.mailbox = c
	c.self.cell = c
	if config.idle > 0 {
		c.idle = &idleness{timeout: config.idle}
	}
	if config.policy.budget > 0 {
		c.lives = &lives{policy: config.policy}
		c.newLife()
	}
	return c
}

// firstStart calls start on the spawner's goroutine. If it fails, panics or calls
// runtime.Goexit, whatever it began is ended before firstStart returns.
func (c *cell[M]) firstStart() (err error) {
	returned := false
	defer func() {
		if !returned {
			err = newPanicError(recover())
		}
		if err != nil {
			c.terminate(err)
		}
	}()
	err = c.begin()
	returned = true
	c.started = err == nil
	if h := c.system.hooks.Started; h != nil && err == nil {
		c.system.hook(c.name, "Started", func() { h(c.info()) })
	}
	return err
}
