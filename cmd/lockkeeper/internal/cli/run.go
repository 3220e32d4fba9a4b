package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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

// graceMost: on a server it is at most a third.
const graceMost = 3

type runCmd struct {
	Store    string `help:"${store}" env:"LOCKKEEPER_STORE" placeholder:"STORE"`
	Wait     *span  `short:"w" xor:"wait" help:"Wait no longer than this for the lock, then exit with status 75. Default: for ever." placeholder:"DURATION"`
	NoWait   bool   `short:"n" xor:"wait" aliases:"nonblock" help:"Do not wait at all: exit with status 75 if the lock is busy."`
	BusyCode *uint8 `short:"E" aliases:"conflict-exit-code" help:"Exit status in place of 75; 0 is a success, for cron." placeholder:"CODE"`

	Read     bool   `short:"s" xor:"kind" aliases:"shared" help:"Hold the lock as one of its readers, who share it."`
	Write    bool   `short:"x" xor:"kind" aliases:"exclusive" help:"Hold the lock alone, as its writer: readers (-s) wait. Without -s and -x the lock is held alone, too."`
	Capacity *int64 `xor:"kind" help:"NAME is a semaphore of N permits in all." placeholder:"N"`
	Permits  *int64 `help:"How many of the semaphore's permits to hold. Default: 1." placeholder:"N"`

	Also         []further `type:"further" help:"Hold this lock too, in one step with NAME and others. May be repeated." placeholder:"NAME"`
	AlsoRead     []further `type:"further" help:"Hold this lock too, as one of its readers." placeholder:"NAME"`
	AlsoWrite    []further `type:"further" help:"Hold this lock too, as its writer." placeholder:"NAME"`
	AlsoCapacity []further `type:"further" help:"Hold one permit of this semaphore of N too." placeholder:"N:NAME"`
	Reentrant    bool      `help:"If an enclosing lockkeeper run holds the lock already, run the command under that one. Default: refuse, with status 64."`

	Shell     *string `short:"c" name:"command" xor:"what" help:"Run TEXT by the shell: $SHELL -c TEXT, or /bin/sh -c TEXT." placeholder:"TEXT"`
	Hold      bool    `xor:"what" help:"Run nothing: print a line when the lock is held, and hold it until HUP, INT, QUIT or TERM."`
	KillAfter *span   `help:"Send SIGKILL this long after HUP, INT, QUIT or TERM was passed on, or after SIGTERM for a lost lease." placeholder:"DURATION"`
	Grace     *span   `help:"From SIGTERM to SIGKILL when the lease is lost; with Redis, at most a third of the TTL. Default: --kill-after, or a sixth of the TTL." placeholder:"DURATION"`

	AtLeast *span `help:"Keep the lock taken until this long after the acquire, even if the command ends sooner; lockkeeper does not wait for it. So the command runs once in that time, on all machines." placeholder:"DURATION"`

	TTL     span   `help:"Redis: how long the lock outlives a crash of this machine. Default: 10s." default:"10s" placeholder:"DURATION"`
	Label   string `help:"Names this holder in ls, show and messages. Default: the name of the command." placeholder:"TEXT"`
	Verbose bool   `short:"v" xor:"say" help:"Say which store is used, and when the lock is acquired and released."`
	Quiet   bool   `short:"q" xor:"say" help:"Do not say that the lock is busy: the exit status does."`

	Name string   `arg:"" help:"The name of the lock: 1 to 1024 bytes."`
	Args []string `arg:"" name:"command" optional:"" passthrough:"" help:"The command to run, after --."`
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
	if r.Label == "" {
		r.Label = labelOf(argv)
	}
	ps, err := r.parts()
	if err != nil {
		return s.fail(err)
	}
	from, sig, err := opening(link, func() opened { return r.prepare(argv) })
	switch {
	case sig != nil:
		return exitCode(command.SignalCode(sig.Signal))
	case err != nil:
		return s.fail(err)
	}
	closing := closeTimeout
	defer func() { from.done(closing) }()
	r.tell(s, "store %v", from.where)
	begin := time.Now()
	held, sig, err := r.acquire(s, from.manager, ps, link)
	switch {
	case sig != nil:
		return exitCode(command.SignalCode(sig.Signal))
	case err != nil:
		if errors.Is(err, backends.ErrUnavailable) {
			closing = 0 // a store that gives no answer would hold up the status
		}
		return r.notAcquired(s, err)
	}
	closing = finishing(from.where, closeTimeout)
	r.tell(s, "acquired %v after %v", held, since(begin))
	if r.Hold {
		return r.keep(s, held, link)
	}
	return r.hold(s, held, argv, link)
}

// tell writes a message if --verbose is given.
func (r *runCmd) tell(s streams, format string, args ...any) {
	if r.Verbose {
		s.warn(format, args...)
	}
}

// notAcquired says why the lock was not acquired, and returns the exit status.
func (r *runCmd) notAcquired(s streams, err error) exitCode {
	code := codeOf(err)
	if code == exitBusy && r.Quiet {
		s.messages = io.Discard
	}
	s.warn("%v", advised(err))
	if code == exitBusy && r.BusyCode != nil {
		return exitCode(*r.BusyCode)
	}
	return code
}

// hold runs the command and releases the lease.
func (r *runCmd) hold(s streams, held *grant, argv []string, link *command.Link) exitCode {
	begin := time.Now()
	res, err := command.Run(command.Command{
		Argv:      argv,
		Env:       environ(os.Environ(), held.locks),
		Files:     [3]*os.File{s.in, s.out, s.err},
		Lost:      held.lost(),
		Grace:     r.grace(),
		KillAfter: (*time.Duration)(r.KillAfter),
		Link:      link,
		Warn:      func(text string) { s.warn("%s", held.because(text)) },
	})
	released := held.release()
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
	default:
		r.tell(s, "released %v after %v", held, since(begin))
	}
	return exitCode(res.Code)
}

// argv returns the command without the -- in front of it; none for --hold.
func (r *runCmd) argv() ([]string, error) {
	argv, marked := r.Args, len(r.Args) > 0 && r.Args[0] == "--"
	if marked {
		argv = argv[1:]
	}
	at := slices.Index(argv, "--")
	switch {
	case !marked && len(argv) > 0 && strings.HasPrefix(argv[0], "-"):
		return nil, usageError("unknown flag %s: write run [flags] NAME -- COMMAND", argv[0])
	case r.Hold && len(r.Args) > 0:
		return nil, usageError("--hold runs no command: write run --hold NAME")
	case r.Shell != nil && len(r.Args) > 0:
		return nil, usageError("-c takes the command as one argument: write run -c 'COMMAND ARGUMENT …' NAME")
	case r.Hold:
		return nil, nil
	case r.Shell != nil:
		return []string{cmp.Or(os.Getenv("SHELL"), "/bin/sh"), "-c", *r.Shell}, nil
	case !marked && at > 0: // is argv[0] a second name, or is this -- the command's own?
		return nil, usageError("%s stands between NAME and --: write run [flags] NAME -- COMMAND", printable(argv[0]))
	case len(argv) == 0 || argv[0] == "":
		return nil, usageError("no command: write run [flags] NAME -- COMMAND")
	}
	return argv, nil
}

// labelOf returns what people see of a command: its name without the folder. Its arguments may hold
// secrets, and a store may be read by others.
func labelOf(argv []string) string {
	if len(argv) == 0 {
		return "lockkeeper run --hold"
	}
	name := filepath.Base(argv[0])
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
		if r.Grace == nil && r.KillAfter != nil && *r.KillAfter > r.TTL/graceMost {
			return nil, nil, usageError("--kill-after %v is more than a third of the TTL: give --grace too, the time to end in when the lease is lost",
				time.Duration(*r.KillAfter))
		}
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
	switch {
	case r.Grace != nil:
		return time.Duration(*r.Grace)
	case r.KillAfter != nil:
		return time.Duration(*r.KillAfter)
	}
	return time.Duration(r.TTL) / gracePart
}

// parts returns what the flags ask for.
func (r *runCmd) parts() (parts, error) {
	p := part{name: r.Name, shared: r.Read, as: backends.Mutex}
	switch {
	case r.Permits != nil && r.Capacity == nil:
		return nil, usageError("--permits goes with --capacity")
	case r.Read || r.Write:
		p.as = backends.ReadWrite
	case r.Capacity != nil:
		p.as, p.capacity, p.permits = backends.Semaphore, *r.Capacity, 1
		if r.Permits != nil {
			p.permits = *r.Permits
		}
	}
	also, err := r.also()
	if err != nil {
		return nil, err
	}
	ps := append(parts{p}, also...)
	for i, p := range ps {
		if ps.index(p.name) != i {
			return nil, usageError("%s is named twice", printable(p.name))
		}
	}
	return ps, nil
}
