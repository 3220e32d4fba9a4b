//go:build unix

package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// endless is a command that says when it runs, and ends only if it is ended. (That SIGTERM comes before SIGKILL is a test
// of package command: with leases as short as here, a slow machine may not get to show it.)
const endless = `echo held; while :; do sleep 0.01; done`

// briefTTL is the time to live of a lease that a test wants lost. A slow machine must have started the command, and
// renewed the lease, before it is over.
const briefTTL = "2s"

func TestLossEndsTheCommand(t *testing.T) {
	t.Run("redis loses its data", func(t *testing.T) {
		s := redistest.Start(t)
		p := start(t, "redis://"+s.Addr, "run", "--ttl", briefTTL, "a", "--", "sh", "-c", endless)
		p.Expect("held")
		if err := s.Client(t).FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		p.saysNothing()
		contains(t, p.ends(76), "lost")
	})
	t.Run("redis dies", func(t *testing.T) {
		s := redistest.Start(t)
		p := start(t, "redis://"+s.Addr, "run", "--ttl", briefTTL, "a", "--", "sh", "-c", endless)
		p.Expect("held")
		s.Kill()
		p.saysNothing()
		contains(t, p.ends(76), "lost")
	})
	t.Run("files are removed", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "locks")
		p := start(t, "file:"+dir, "run", "a", "--", "sh", "-c", endless)
		p.Expect("held")
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		p.saysNothing()
		contains(t, p.ends(76), "lost")
	})
	t.Run("broken by an operator", func(t *testing.T) {
		eachStore(t, func(t *testing.T, in string) {
			b := client(t, in)
			if !b.Capabilities().Break {
				t.Log("this store cannot break a lock")
				return
			}
			p := start(t, in, "run", "--ttl", briefTTL, "a", "--", "sh", "-c", endless)
			p.Expect("held")
			if err := b.Break(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			p.saysNothing()
			contains(t, p.ends(76), "lost")
		})
	})
}

func TestALostCommandThatWillNotEndIsKilled(t *testing.T) {
	s := redistest.Start(t)
	p := start(t, "redis://"+s.Addr, "run", "--ttl", briefTTL, "--grace", "20ms", "a", "--",
		"sh", "-c", `trap "" TERM; echo held; while :; do sleep 0.01; done`)
	p.Expect("held")
	s.Kill()
	p.saysNothing()
	p.ends(76)
}

func TestKilledKeeperTakesItsCommandWithIt(t *testing.T) {
	for name, script := range map[string]string{
		"the command":          "echo held; exec cat",
		"and what it started":  "sleep 1000 & echo held; sleep 1000; echo survived",
		"and what will not go": `trap "" TERM HUP INT; (trap "" TERM; sleep 1000) & echo held; sleep 1000`,
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, in string) {
				p := start(t, in, "run", "--ttl", briefTTL, "a", "--", "sh", "-c", script)
				p.Expect("held")
				p.Kill()
				p.saysNothing() // the end of the output: whoever held it open is gone
				q := start(t, in, "run", "a", "--", "echo", "started")
				q.Expect("started")
				q.ends(0)
			})
		})
	}
}

func TestASuspendedHolderLearnsOfItsLossFirst(t *testing.T) {
	s := redistest.Start(t)
	p := start(t, "redis://"+s.Addr, "run", "--ttl", "300ms", "a", "--", "sh", "-c", "echo $PPID; "+endless)
	holder, err := strconv.Atoi(p.Expect(""))
	if err != nil {
		t.Fatal(err)
	}
	p.Expect("held")
	sends(t, holder, syscall.SIGSTOP) // the worst case: nobody renews and nobody can end the command
	q := start(t, "redis://"+s.Addr, "run", "a", "--", "echo", "started")
	q.Expect("started") // after the TTL
	q.ends(0)
	sends(t, holder, syscall.SIGCONT)
	p.saysNothing()
	contains(t, p.ends(76), "lost")
}

func TestCtrlZStopsBothAndBothGoOn(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		// A job of its own, as a shell makes it: in the group of a process that has lost its shell, as on
		// a CI server, the kernel ignores the signal.
		job := func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
		p := startWith(t, in, job, "run", "a", "--", "sh", "-c", "echo held; read x; echo done")
		p.Expect("held")
		p.Signal(syscall.SIGTSTP)
		untilStopped(t, p.PID())
		p.Signal(syscall.SIGCONT)
		p.Say("go on")
		p.Expect("done")
		p.ends(0)
	})
}

// untilStopped waits until all threads of a process are stopped: before, no shell counts it as stopped.
func untilStopped(t *testing.T, pid int) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	for end := time.Now().Add(patience); !isStopped(t, pid); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("process %d is not stopped", pid)
		}
	}
}

func isStopped(t *testing.T, pid int) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("process %d has ended: %v", pid, err)
	}
	for _, thread := range threads {
		stat, _ := os.ReadFile(thread) // a thread that has just ended is looked for again
		if _, state, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

func TestACommandInheritsOnlyItsStreams(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("no /proc/self/fd here: not tested")
		return
	}
	list := func(p *proctest.Process) (fds []string) {
		for fd, ok := p.Listen(); ok; fd, ok = p.Listen() {
			fds = append(fds, fd)
		}
		return fds
	}
	// What the tests themselves were given goes through, as it would without lockkeeper.
	want := list(proctest.Run(t, exec.Command("ls", "/proc/self/fd")))
	eachStore(t, func(t *testing.T, in string) {
		p := start(t, in, "run", "a", "--", "ls", "/proc/self/fd")
		if got := list(p.Process); !slices.Equal(got, want) {
			t.Errorf("descriptors %v, want %v", got, want)
		}
		p.ends(0)
	})
}

func TestManyAtOnceRunOneAtATimeInOrderOfArrival(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		const n = 120
		b := client(t, in)
		log := filepath.Join(t.TempDir(), "log")
		first := hold(t, in, "a")
		var all []process
		var killed []int
		for i := range n {
			// mkdir fails if another one is running.
			p := start(t, in, "run", "a", "--", "sh", "-c",
				fmt.Sprintf(`mkdir %[1]s.busy || exit 99; echo %[2]d >>%[1]s; rmdir %[1]s.busy`, log, i))
			untilWaiting(t, b, "a", i+1)
			all = append(all, p)
			if i%10 == 3 {
				killed = append(killed, i)
			}
		}
		for _, i := range killed {
			all[i].Kill()
		}
		first.let()
		var want strings.Builder
		for i, p := range all {
			if i%10 != 3 {
				p.ends(0)
				fmt.Fprintln(&want, i)
			}
		}
		got, err := os.ReadFile(log)
		if err != nil || string(got) != want.String() {
			t.Errorf("%v; they ran in the order %q", err, strings.Fields(string(got)))
		}
		isClean(t, in, b)
	})
}

func TestAStampede(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		const n = 120
		log := filepath.Join(t.TempDir(), "log")
		all := make([]process, n)
		for i := range all {
			all[i] = start(t, in, "run", "a", "--", "sh", "-c",
				fmt.Sprintf(`mkdir %[1]s.busy || exit 99; echo x >>%[1]s; rmdir %[1]s.busy`, log))
		}
		for _, p := range all {
			p.ends(0)
		}
		got, err := os.ReadFile(log)
		if err != nil || len(got) != 2*n {
			t.Errorf("%v; %d commands ran, want %d", err, len(got)/2, n)
		}
		isClean(t, in, client(t, in))
	})
}

// isClean checks that nobody holds or waits, and that what lingers in Redis has an expiry.
func isClean(t *testing.T, in string, b backends.Backend) {
	t.Helper()
	for s, err := range b.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		t.Errorf("still in use: %+v", s)
	}
	if !strings.HasPrefix(in, "redis:") {
		return
	}
	c := server.Get(t).Client(t)
	keys, err := c.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if ttl := c.PTTL(t.Context(), k).Val(); ttl < 0 {
			t.Errorf("key %q lingers for ever", k)
		}
	}
}
