package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
	"github.com/lockkeeper/lockkeeper/manager"
)

// What a server gets to finish with, so that one that has gone does not hold up the exit status.
const releaseTimeout = 2 * time.Second

var closeTimeout = time.Second // longer in a test

// fileTimeout is the same for a directory. It goes away only with a process that was stopped in the few microseconds in which it
// changes a table; but where hundreds of commands start at once, each waits for seconds until it may run. It is given to
// commands that held the lock.
const fileTimeout = 10 * time.Second

// gracePart: by default a command has a sixth of the TTL to end in.
const gracePart = 6

type runCmd struct {
	Store  string `help:"${store}" env:"LOCKKEEPER_STORE" placeholder:"STORE"`
	Wait   *span  `short:"w" xor:"wait" help:"Wait no longer than this for the lock, then exit with status 75. Default: for ever." placeholder:"DURATION"`
	NoWait bool   `short:"n" xor:"wait" help:"Do not wait at all: exit with status 75 if the lock is busy."`
	TTL    span   `help:"Redis: how long the lock outlives a crash of this machine. Default: 10s." default:"10s" placeholder:"DURATION"`
	Grace  *span  `help:"From SIGTERM to SIGKILL when the lease is lost; with Redis, at most a third of the TTL. Default: a sixth of the TTL." placeholder:"DURATION"`
	Label  string `help:"Shown to people who ask who holds the lock. Default: the name of the command." placeholder:"TEXT"`

	Read     bool   `xor:"kind" aliases:"shared" help:"Hold the reader-writer lock NAME as one of its readers."`
	Write    bool   `xor:"kind" aliases:"exclusive" help:"Hold the reader-writer lock NAME as its writer."`
	Capacity *int64 `xor:"kind" help:"NAME is a semaphore of N permits in all." placeholder:"N"`
	Permits  *int64 `help:"How many of the semaphore's permits to hold. Default: 1." placeholder:"N"`

	Name    string   `arg:"" help:"Of the lock: 1 to 1024 bytes."`
	Command []string `arg:"" passthrough:"" help:"What to run, after --."`
}

// Run starts the holder, or is it. See package command.
func (r *runCmd) Run(s streams) exitCode {
	if s.link != nil {
		return r.run(s, s.link)
	}
	return s.front()
}

// front starts the holder, and returns its exit status.
func (s streams) front() exitCode {
	code, err := command.Front(s.args, [3]*os.File{s.in, s.out, s.err}, int(exitLost))
	if err != nil {
		return s.fail(err)
	}
	return exitCode(code)
}

// run holds the lock while the command runs.
func (r *runCmd) run(s streams, link *command.Link) exitCode {
	argv, err := r.argv()
	if err != nil {
		return s.fail(err)
	}
	// A command that cannot be run is refused before anybody has to wait for it.
	if _, err := command.Find(argv[0]); err != nil {
		return s.fail(err)
	}
	if r.Label == "" {
		r.Label = labelOf(argv[0])
	}
	where, err := store.Parse(r.Store)
	if err != nil {
		return s.fail(err)
	}
	m, done, err := r.open(where)
	if err != nil {
		return s.fail(err)
	}
	closing := closeTimeout
	defer func() { done(closing) }()
	claim, err := r.claim(m)
	if err != nil {
		return s.fail(err)
	}
	lease, sig, err := r.acquire(s, m, claim, link)
	switch {
	case sig != nil:
		return exitCode(command.SignalCode(sig.Signal))
	case err != nil:
		if errors.Is(err, backends.ErrUnavailable) {
			closing = 0 // a store that gives no answer would hold up the status
		}
		return s.fail(err)
	}
	closing = finishing(where, closeTimeout)
	return r.hold(s, lease, argv, link)
}

// hold runs the command and releases the lease.
func (r *runCmd) hold(s streams, lease *manager.Lease, argv []string, link *command.Link) exitCode {
	res, err := command.Run(command.Command{
		Argv:  argv,
		Env:   command.Env(os.Environ(), r.Name, lease.Token()),
		Files: [3]*os.File{s.in, s.out, s.err},
		Lost:  lease.Context().Done(),
		Grace: r.grace(),
		Link:  link,
		Warn:  func(text string) { s.warn("%s", r.because(lease, text)) },
	})
	released := lease.Release()
	switch {
	case err != nil:
		return s.fail(err)
	case errors.Is(released, manager.ErrLost):
		if !res.Lost { // else it was said before
			s.warn("%v: the command may have run beside another holder", released)
		}
		return exitLost
	case res.Lost:
		return exitLost
	case released != nil:
		s.warn("%v (the command had ended with status %d; the store frees the lock by itself)", released, res.Code)
	}
	return exitCode(res.Code)
}

// because puts before a message why the lease was lost, if it was.
func (r *runCmd) because(lease *manager.Lease, text string) string {
	if cause := context.Cause(lease.Context()); cause != nil {
		return fmt.Sprintf("%v: %s", cause, text)
	}
	return text
}

// argv returns the command without the -- in front of it.
func (r *runCmd) argv() ([]string, error) {
	argv := r.Command
	if len(argv) > 0 && argv[0] == "--" {
		argv = argv[1:]
	} else if len(argv) > 0 && strings.HasPrefix(argv[0], "-") {
		return nil, usageError("unknown flag %s: write run [flags] NAME -- COMMAND", argv[0])
	}
	if len(argv) == 0 || argv[0] == "" {
		return nil, usageError("no command: write run [flags] NAME -- COMMAND")
	}
	return argv, nil
}

// labelOf returns what people see of a command: its name without the folder. Its arguments may hold
// secrets, and a store may be read by others.
func labelOf(program string) string {
	name := filepath.Base(program)
	return name[:min(len(name), backends.MaxName)]
}

func usageError(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{backends.ErrInvalid}, args...)...)
}

// finishing returns how long a store that granted the lock may take to finish with.
func finishing(where store.Store, server time.Duration) time.Duration {
	if where.InDirectory() {
		return fileTimeout
	}
	return server
}

// open returns a manager over the store, and what closes both.
func (r *runCmd) open(where store.Store) (*manager.Manager, func(within time.Duration), error) {
	release := finishing(where, releaseTimeout)
	opts := []manager.Option{
		manager.WithTTL(time.Duration(r.TTL)), manager.WithReleaseTimeout(release), manager.WithLabel(r.Label),
	}
	if !where.InDirectory() {
		opts = append(opts, manager.WithStopMargin(r.grace())) // the command is dead before the lock is another's
	}
	return openManager(where, opts...)
}

// openManager returns a manager over a store, and what closes both in that time.
func openManager(where store.Store, opts ...manager.Option) (*manager.Manager, func(within time.Duration), error) {
	b, err := store.Open(where)
	if err != nil {
		return nil, nil, err
	}
	m, err := manager.New(b, opts...)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_ = b.Close(ctx) // it was not used
		return nil, nil, err
	}
	return m, func(within time.Duration) {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		_ = m.Close(ctx) // what it could not finish, the store ends by itself
	}, nil
}

func (r *runCmd) grace() time.Duration {
	if r.Grace != nil {
		return time.Duration(*r.Grace)
	}
	return time.Duration(r.TTL) / gracePart
}

// claim returns what the flags ask for.
func (r *runCmd) claim(m *manager.Manager) (manager.Claim, error) {
	switch {
	case r.Permits != nil && r.Capacity == nil:
		return manager.Claim{}, usageError("--permits goes with --capacity")
	case r.Read:
		return m.RWLock(r.Name).Read(), nil
	case r.Write:
		return m.RWLock(r.Name).Write(), nil
	case r.Capacity != nil && r.Permits != nil:
		return m.Semaphore(r.Name, *r.Capacity).Permits(*r.Permits), nil
	case r.Capacity != nil:
		return m.Semaphore(r.Name, *r.Capacity).Permits(1), nil
	default:
		return m.Lock(r.Name), nil
	}
}
