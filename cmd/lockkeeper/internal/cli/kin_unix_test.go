//go:build unix

package cli

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// TestKin is a test for each thing that flock(1), consul lock, etcdctl lock, GNU sem, setlock and
// lckdo do, as far as run does it.
func TestKin(t *testing.T) {
	for _, row := range []struct {
		name string
		test func(t *testing.T, in string)
	}{
		{"wait and try", waitAndTry},
		{"busy code", busyCode},
		{"shared", shared},
		{"shared beside a lock", sharedBesideALock},
		{"n holders", nHolders},
		{"shell", shellCommand},
		{"hold", holdsWithoutACommand},
		{"hold that is lost", holdThatIsLost},
		{"verbose and quiet", verboseAndQuiet},
		{"environment", environment},
		{"a word before --", wordBeforeDashes},
	} {
		t.Run(row.name, func(t *testing.T) { eachStore(t, row.test) })
	}
}

func waitAndTry(t *testing.T, in string) {
	p := hold(t, in, "a")
	for _, flags := range []string{"-n", "--no-wait", "--nonblock", "-w 0", "-w 0.02", "-w 20ms"} {
		args := append(append([]string{"run"}, strings.Fields(flags)...), "a", "--", "true")
		start(t, in, args...).ends(75)
	}
	q := start(t, in, "run", "-w", "60", "a", "--", "true")
	untilWaiting(t, client(t, in), "a", 1)
	p.let()
	q.ends(0)
}

func busyCode(t *testing.T, in string) {
	p := hold(t, in, "a")
	for flags, want := range map[string]int{
		"-n -E 7": 7, "-w 0.02 --busy-code=3": 3, "-n --conflict-exit-code 255": 255, "-n -E 0": 0, "-nE0": 0,
	} {
		q := start(t, in, append(append([]string{"run"}, strings.Fields(flags)...), "a", "--", "echo", "started")...)
		q.saysNothing()
		contains(t, q.ends(want), "busy")
	}
	if said := start(t, in, "run", "-n", "-q", "-E", "0", "a", "--", "true").ends(0); said != "" {
		t.Errorf("cron would mail %q", said)
	}
	p.let()
	start(t, in, "run", "-n", "-E", "0", "a", "--", "sh", "-c", "exit 75").ends(75) // the command's own
	start(t, in, "run", "-E", "0", "a", "--", "no-such-command").ends(127)
}

func shared(t *testing.T, in string) {
	one, two := hold(t, in, "-s", "a"), hold(t, in, "-s", "a")
	start(t, in, "run", "-n", "-x", "a", "--", "true").ends(75)
	start(t, in, "run", "-n", "a", "--", "true").ends(75)
	plain := start(t, in, "run", "a", "--", "sh", "-c", "echo mine; cat >/dev/null")
	untilWaiting(t, client(t, in), "a", 1)
	start(t, in, "run", "-n", "-s", "a", "--", "true").ends(75) // it would overtake
	one.let()
	two.let()
	plain.Expect("mine")
	plain.let()
}

func sharedBesideALock(t *testing.T, in string) {
	p := hold(t, in, "a")
	for _, how := range []string{"-s", "-x", "--read", "--write"} {
		contains(t, start(t, in, "run", "-n", how, "a", "--", "true").ends(75), "busy")
	}
	var queue []process
	for i, how := range []string{"-s", "-x", "--label=plain"} {
		queue = append(queue, start(t, in, "run", how, "a", "--", "sh", "-c", "echo mine; cat >/dev/null"))
		untilWaiting(t, client(t, in), "a", i+1)
	}
	p.let()
	for _, q := range queue {
		q.Expect("mine")
		q.let()
	}
	one, two := hold(t, in, "-s", "a"), hold(t, in, "-s", "a") // nobody uses it as a lock any more
	one.let()
	two.let()
}

func nHolders(t *testing.T, in string) {
	one, two := hold(t, in, "--capacity", "2", "a"), hold(t, in, "--capacity", "2", "a")
	start(t, in, "run", "-n", "--capacity", "2", "a", "--", "true").ends(75)
	for _, how := range []string{"-s", "-x", "-q"} {
		contains(t, start(t, in, "run", "-n", how, "a", "--", "true").ends(64), "semaphore of 2 permits", "give --capacity 2")
	}
	one.let()
	two.let()
	p := hold(t, in, "a")
	contains(t, start(t, in, "run", "--capacity", "2", "a", "--", "true").ends(64), "leave out --capacity")
	p.let()
}

func shellCommand(t *testing.T, in string) {
	t.Setenv("SHELL", "")
	start(t, in, "run", "-c", `test "$LOCK_NAME" = a && exit 5; exit 1`, "a").ends(5)
	start(t, in, "run", "a", "-c", "exit 6").ends(6) // as flock(1) has it
	other := filepath.Join(t.TempDir(), "shell")
	if err := os.WriteFile(other, []byte("#!/bin/sh\necho \"$1:$2\"\n"), 0o700); err != nil { //nolint:gosec // to be executed
		t.Fatal(err)
	}
	t.Setenv("SHELL", other)
	p := start(t, in, "run", "-c", "a b", "a")
	p.Expect("-c:a b")
	p.ends(0)
}

func holdsWithoutACommand(t *testing.T, in string) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT} {
		p := start(t, in, "run", "--hold", "a b")
		token, name, _ := strings.Cut(p.Expect("held "), " ")
		b := client(t, in)
		state, err := b.Inspect(t.Context(), "a b")
		if err != nil || len(state.Holders) != 1 || strconv.FormatUint(state.Holders[0].Token, 10) != token || name != `"a b"` {
			t.Errorf("held %s %s; the store knows %+v, %v", token, name, state, err)
		}
		start(t, in, "run", "-n", "a b", "--", "true").ends(75)
		p.Signal(syscall.SIGUSR1) // asks for no end
		p.Signal(sig)
		p.saysNothing()
		if said := p.ends(0); said != "" {
			t.Error(said)
		}
		start(t, in, "run", "-n", "a b", "--", "true").ends(0)
	}
}

func holdThatIsLost(t *testing.T, in string) {
	b := client(t, in)
	p := start(t, in, "run", "--ttl", briefTTL, "--hold", "a")
	p.Expect("held ")
	if err := b.Break(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	contains(t, p.ends(76), "lost")
	q := start(t, in, "run", "--hold", "a")
	q.Expect("held ")
	q.Kill() // the front; its holder ends
	until(t, b, "a", "nobody holds", func(s backends.State) bool { return len(s.Holders) == 0 })
}

func verboseAndQuiet(t *testing.T, in string) {
	said := start(t, in, "run", "-v", "a", "--", "true").ends(0)
	contains(t, said, "store "+in, "acquired a (token ", "released a (token ")
	p := hold(t, in, "a")
	contains(t, start(t, in, "run", "-n", "a", "--", "true").ends(75), "busy: held by")
	if said := start(t, in, "run", "-nq", "a", "--", "true").ends(75); said != "" {
		t.Errorf("--quiet says %q", said)
	}
	q := start(t, in, "run", "--quiet", "--capacity", "2", "a", "--", "true")
	contains(t, q.ends(64), "in use") // it is quiet of a busy lock only
	p.let()
}

func environment(t *testing.T, in string) {
	p := start(t, in, "run", "a", "--", "sh", "-c", `echo "$LOCK_NAME $LOCK_TOKEN"`)
	if token, err := strconv.ParseUint(p.Expect("a "), 10, 64); err != nil || token == 0 {
		t.Errorf("token %d, %v", token, err)
	}
	p.ends(0)
}

func wordBeforeDashes(t *testing.T, in string) {
	p := start(t, in, "run", "a", "echo", "--", "started")
	p.saysNothing()
	contains(t, p.ends(64), "echo stands between NAME and --")
	p = start(t, in, "run", "a", "--", "echo", "--", "started") // the command's own --
	p.Expect("-- started")
	p.ends(0)
}

// --store and LOCKKEEPER_STORE take a name of the configuration.
func TestStoresHaveNames(t *testing.T) {
	home, in := t.TempDir(), "file:"+t.TempDir()+"/locks"
	if err := os.Mkdir(home+"/lockkeeper", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(home+"/lockkeeper/config.json", []byte(`{"stores": {"jobs": "`+in+`"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CONFIG_HOME", home)
	p := hold(t, "jobs", "a")
	start(t, in, "run", "-n", "a", "--", "true").ends(75)
	contains(t, start(t, "", "run", "-v", "-n", "--store", "jobs", "a", "--", "true").ends(75), "store "+in)
	contains(t, start(t, "job", "run", "a", "--", "true").ends(64), `no store is named "job"`, home)
	p.let()
}

// A service of type notify is ready when the lock is held, and not before.
func TestHoldTellsSystemd(t *testing.T) {
	in := "file:" + t.TempDir() + "/locks"
	dir, err := os.MkdirTemp("", "lk") //nolint:usetesting // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/s", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	first := hold(t, in, "a")
	p := startWith(t, in, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+dir+"/s") }, "run", "--hold", "a")
	untilWaiting(t, client(t, in), "a", 1)
	buf := make([]byte, 100)
	if err := socket.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, err := socket.Read(buf); err == nil {
		t.Errorf("systemd is told %q while another process holds the lock", buf[:n])
	}
	first.let()
	if err := socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	n, err := socket.Read(buf)
	if err != nil || string(buf[:n]) != "READY=1" {
		t.Errorf("systemd is told %q, %v", buf[:n], err)
	}
	state, err := client(t, in).Inspect(t.Context(), "a")
	if err != nil || len(state.Holders) != 1 || state.Holders[0].Owner.Label != "lockkeeper run --hold" {
		t.Errorf("ready while the lock is %+v, %v", state, err)
	}
	p.Signal(syscall.SIGTERM)
	p.ends(0)
}

// timeout(1) has the same option.
func TestKillAfterASignalThatDoesNotEndTheCommand(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
			p := start(t, in, "run", "--kill-after", "30ms", "a", "--",
				"sh", "-c", `trap "" TERM INT HUP; (while :; do sleep 1000; done) & echo ready; while :; do sleep 0.01; done`)
			p.Expect("ready")
			p.Signal(sig)
			p.saysNothing() // that is, all of it has ended
			contains(t, p.ends(128+9), "has not ended within 30ms")
		}
		start(t, in, "run", "-n", "a", "--", "true").ends(0)
		p := start(t, in, "run", "--kill-after", "1ms", "a", "--", "sh", "-c", `trap 'exit 3' USR1; echo ready; while :; do sleep 0.01; done`)
		p.Expect("ready")
		p.Signal(syscall.SIGUSR1) // asks for no end
		p.ends(3)
	})
}

func TestKillAfterIsTheGraceOfALostLease(t *testing.T) {
	dir := t.TempDir() + "/locks"
	p := start(t, "file:"+dir, "run", "--kill-after", "10ms", "a", "--", "sh", "-c", `trap "" TERM; `+endless)
	p.Expect("held")
	remove(t, dir)
	p.saysNothing()
	contains(t, p.ends(76), "SIGKILL after 10ms")
	contains(t, start(t, "redis://127.0.0.1:1", "run", "--kill-after", "1m", "a", "--", "true").ends(64), "give --grace too")
	start(t, "redis://127.0.0.1:1", "run", "--kill-after", "1m", "--grace", "1s", "a", "--", "true").ends(69)
}
