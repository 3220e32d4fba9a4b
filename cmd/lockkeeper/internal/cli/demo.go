package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/demo"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
	"github.com/lockkeeper/lockkeeper/manager"
)

// demoTTL is short, so that a demo on Redis goes on soon after a process was killed.
const demoTTL = 2 * time.Second

type demoCmd struct {
	Store      string `help:"Where locks are kept: a directory, redis://HOST:PORT, … Default: a new directory, removed at the end." env:"LOCKKEEPER_STORE" placeholder:"STORE"`
	Processes  int    `help:"How many contend. Default: ${default}." default:"4" placeholder:"N"`
	Goroutines int    `help:"How many in each of them. Default: ${default}." default:"16" placeholder:"N"`
	Names      int    `help:"For how many names. Default: ${default}." default:"3" placeholder:"N"`
	For        span   `help:"How long. Default: ${default}." default:"6s" placeholder:"DURATION"`
	Keep       bool   `help:"Keep the recorded history, and say where it is."`
}

// Run shows the demo and returns exitViolated if its history shows a fault.
func (d *demoCmd) Run(s streams) exitCode {
	if err := d.check(); err != nil {
		return s.fail(err)
	}
	dir, locks, err := demo.TempDir()
	if err != nil {
		s.warn("%v", err)
		return exitUnavailable
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := &stickyWriter{to: s.out}
	v, err := d.play(ctx, s, out, dir, locks)
	if d.Keep || err == nil && !v.OK() {
		fmt.Fprintln(out, "the history is kept in", dir)
	} else {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	switch {
	case ctx.Err() != nil:
		s.warn("interrupted")
		return exitCode(command.SignalCode(os.Interrupt))
	case err != nil:
		return s.fail(err)
	case !v.OK(): // says more than a screen that is full
		return exitViolated
	case out.err != nil:
		return s.fail(printed(out.err))
	default:
		return exitOK
	}
}

func (d *demoCmd) check() error {
	const most = 1000
	switch {
	case d.Processes < 2 || d.Processes > most:
		return usageError("--processes=%d: want 2 to %d", d.Processes, most)
	case d.Goroutines < 1 || d.Goroutines > most:
		return usageError("--goroutines=%d: want 1 to %d", d.Goroutines, most)
	case d.Names < 1 || d.Names > most:
		return usageError("--names=%d: want 1 to %d", d.Names, most)
	case time.Duration(d.For) < time.Second || time.Duration(d.For) > time.Hour:
		return usageError("--for=%v: want 1s to 1h", time.Duration(d.For))
	}
	return nil
}

func (d *demoCmd) play(ctx context.Context, s streams, out io.Writer, dir, locks string) (*demo.Verdict, error) {
	text := d.Store
	if text == "" {
		text = "file:" + locks
	}
	where, err := store.Parse(text)
	if err != nil {
		return nil, err
	}
	if err := reach(ctx, where); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	prefix := fmt.Sprintf("demo-%d-%d/", os.Getpid(), time.Now().UnixNano())
	return demo.Run(ctx, demo.Config{
		Processes: d.Processes, Goroutines: d.Goroutines, Names: d.Names, Duration: time.Duration(d.For),
		Dir: dir, Prefix: prefix,
		Title: fmt.Sprintf("%d processes × %d goroutines contend for %d names; half-way one process is killed.\n%slocks: %v",
			d.Processes, d.Goroutines, d.Names, pause(where), where),
		Screen: screen(pageOf(s.out), out),
		Command: func(process string) *exec.Cmd {
			cmd := exec.Command(self, "demo-worker", "--process", process, "--dir", dir, "--prefix", prefix, //nolint:gosec,noctx // this program itself; it ends with its input
				"--names", strconv.Itoa(d.Names), "--goroutines", strconv.Itoa(d.Goroutines))
			cmd.Env = append(os.Environ(), "LOCKKEEPER_STORE="+text) // not an argument: it may hold a password
			return cmd
		},
	})
}

// pause says why grants pause after the kill, if they do. A directory needs no time to live: the
// kernel frees what a process held.
func pause(where store.Store) string {
	if where.InDirectory() {
		return ""
	}
	return fmt.Sprintf("A name that it holds pauses then, up to %v: the time to live of a dead holder.\n", demoTTL)
}

// reach asks the store whether it works, so that one that does not is one error and not one of each worker's.
func reach(ctx context.Context, where store.Store) error {
	b, err := store.Open(where)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	_, err = b.Inspect(ctx, "demo")
	return errors.Join(err, b.Close(ctx))
}

// screen draws on the page of a terminal and writes lines to anything else.
func screen(p page, out io.Writer) demo.Screen {
	fit := demo.Fit(out, p.width)
	if !p.escapes {
		return &demo.Plain{Out: fit}
	}
	return &demo.Live{Out: fit, Width: p.width, Colour: os.Getenv("NO_COLOR") == ""}
}

// demoWorkerCmd is a worker process of the demo.
type demoWorkerCmd struct {
	Store      string `env:"LOCKKEEPER_STORE" required:""`
	Process    string `required:""`
	Dir        string `required:""`
	Prefix     string `required:""`
	Names      int    `required:""`
	Goroutines int    `required:""`
}

// Run works until its input ends. A signal to the whole group is the director's affair.
func (d *demoWorkerCmd) Run(s streams) exitCode {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	where, err := store.Parse(d.Store)
	if err != nil {
		return s.fail(err)
	}
	m, done, err := openManager(where, manager.WithTTL(demoTTL), manager.WithLabel("demo process "+d.Process))
	if err != nil {
		return s.fail(err)
	}
	defer done(closeTimeout)
	err = demo.Work(demo.Worker{
		Process: d.Process, Dir: d.Dir, Prefix: d.Prefix, Names: d.Names, Goroutines: d.Goroutines,
		Locks: locker{m}, In: s.in, Out: s.out,
	})
	if err != nil {
		return s.fail(err)
	}
	return exitOK
}

// locker is a manager as the demo sees it.
type locker struct{ m *manager.Manager }

// Hold runs fn under the lock.
func (l locker) Hold(ctx context.Context, name string, fn func(token uint64) error) error {
	lease, err := l.m.Lock(name).Acquire(ctx)
	if err != nil {
		return err
	}
	return errors.Join(fn(lease.Token()), lease.Release())
}
