package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

var server redistest.Shared

func TestMain(m *testing.M) {
	proctest.Register("lockkeeper", func(c *proctest.Child) error {
		if len(c.Args) > 0 && (c.Args[0] == "demo" || c.Args[0] == "run") { // starts this program again, which must not run the tests
			if err := os.Setenv("LOCKKEEPER_PROCTEST_HELPER", "lockkeeper"); err != nil {
				return err
			}
		}
		s := streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}
		if len(c.Args) > 0 && c.Args[0] == "man" {
			text, err := os.ReadFile("../../doc.go")
			if err != nil {
				return err
			}
			s.comment = string(text)
		}
		os.Exit(run(c.Args, s))
		return nil
	})
	registerHelpers()
	proctest.HeedSignals()
	leaktest.Main(server.Main(m),
		// os/signal keeps one goroutine for good once a program has asked for signals.
		goleak.IgnoreTopFunction("os/signal.signal_recv"),
		goleak.IgnoreTopFunction("os/signal.loop"),
	)
}

// patience bounds how long a test waits for what must come; it is no measure of speed.
const patience = 2 * time.Minute

// process is lockkeeper, running in a process of its own.
type process struct {
	*proctest.Process
	t   *testing.T
	err *bytes.Buffer
}

// start runs lockkeeper with the store in its environment, as a user would.
func start(t *testing.T, in string, args ...string) process {
	t.Helper()
	return startWith(t, in, func(*exec.Cmd) {}, args...)
}

// startWith is start, after change has changed the process to start.
func startWith(t *testing.T, in string, change func(*exec.Cmd), args ...string) process {
	t.Helper()
	cmd := proctest.Command(t, "lockkeeper", args...)
	cmd.Env = append(cmd.Env, "LOCKKEEPER_STORE="+in, "LC_ALL=C")
	change(cmd)
	var stderr bytes.Buffer
	if cmd.Stderr == nil {
		cmd.Stderr = &stderr
	}
	return process{proctest.Run(t, cmd), t, &stderr}
}

// code waits for the end of the process and returns its exit status, and what it wrote to standard error.
func (p process) code() (int, string) {
	p.t.Helper()
	_ = p.Wait() // says in words what State says in numbers
	return p.State().ExitCode(), p.err.String()
}

// ends waits for the end of the process, which must have this exit status.
func (p process) ends(want int) string {
	p.t.Helper()
	got, stderr := p.code()
	if got != want {
		p.t.Fatalf("%v: exit status %d (%v), want %d; standard error: %s", p.t.Name(), got, p.State(), want, stderr)
	}
	return stderr
}

// eachStore runs a test with every store that processes can share.
func eachStore(t *testing.T, test func(t *testing.T, in string)) {
	t.Helper()
	t.Run("file", func(t *testing.T) { test(t, "file:"+t.TempDir()+"/locks") })
	t.Run("redis", func(t *testing.T) {
		s := server.Get(t)
		if err := s.Client(t).FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		test(t, "redis://"+s.Addr)
	})
}

// client opens the store beside the processes under test, to look at it.
func client(t *testing.T, in string) backends.Backend {
	t.Helper()
	where, err := store.Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := store.Open(where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// until waits until the state of a name is as wanted.
func until(t *testing.T, b backends.Backend, name, what string, wanted func(backends.State) bool) backends.State {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		state, err := b.Inspect(ctx, name)
		if err != nil {
			t.Fatalf("waiting until %s: %v", what, err)
		}
		if wanted(state) {
			return state
		}
		runtime.Gosched()
	}
}

func untilWaiting(t *testing.T, b backends.Backend, name string, n int) {
	t.Helper()
	until(t, b, name, fmt.Sprintf("%d wait", n), func(s backends.State) bool { return len(s.Waiters) == n })
}

// hold starts a command that holds the lock until its input ends, and waits until it does.
func hold(t *testing.T, in string, flagsAndName ...string) process {
	t.Helper()
	args := append([]string{"run"}, flagsAndName...)
	p := start(t, in, append(args, "--", "sh", "-c", "echo held $LOCK_TOKEN; cat >/dev/null")...)
	p.Expect("held")
	return p
}

// let ends a command of hold.
func (p process) let() {
	p.t.Helper()
	p.CloseInput()
	p.ends(0)
}

func (p process) saysNothing() {
	p.t.Helper()
	if line, ok := p.Listen(); ok {
		p.t.Errorf("unexpected output: %q", line)
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not contain %q", text, part)
		}
	}
}
