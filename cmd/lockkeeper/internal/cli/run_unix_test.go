//go:build unix

package cli

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func TestWhatRunsOnInTheBackgroundHasNoLock(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		p := start(t, in, "run", "a", "--", "sh", "-c", `exec 3<&0; cat <&3 >/dev/null 2>&1 & echo $!`)
		background, err := strconv.Atoi(p.Expect(""))
		if err != nil {
			t.Fatal(err)
		}
		p.ends(0)
		start(t, in, "run", "-n", "a", "--", "true").ends(0)
		if err := syscall.Kill(background, 0); err != nil {
			t.Errorf("the background process is gone: %v", err)
		}
		p.CloseInput()
	})
}

func TestAWaitEndedByASignalLeavesNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		b := client(t, in)
		p := hold(t, in, "a")
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
			q := start(t, in, "run", "a", "--", "echo", "started")
			untilWaiting(t, b, "a", 1)
			q.Signal(sig)
			q.saysNothing()
			q.ends(128 + int(sig))
			untilWaiting(t, b, "a", 0)
		}
		p.let()
	})
}

func TestSignalsReachTheCommand(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		for _, sig := range []struct {
			number syscall.Signal
			name   string
		}{
			{syscall.SIGTERM, "TERM"}, {syscall.SIGINT, "INT"}, {syscall.SIGHUP, "HUP"},
			{syscall.SIGQUIT, "QUIT"}, {syscall.SIGUSR1, "USR1"},
		} {
			p := start(t, in, "run", "a", "--", "sh", "-c",
				fmt.Sprintf(`trap 'echo got; exit 9' %s; echo ready; while :; do sleep 0.01; done`, sig.name))
			p.Expect("ready")
			p.Signal(sig.number)
			p.Expect("got")
			p.saysNothing()
			p.ends(9)
		}
		start(t, in, "run", "-n", "a", "--", "true").ends(0)
	})
}

// A command that ends while others keep the table busy, as hundreds that start at once do, waits for its turn: it has nothing to
// complain of, and leaves nothing.
func TestACommandThatEndsWhileTheTableIsBusy(t *testing.T) {
	if testing.Short() {
		t.Skip("takes longer than a server gets to finish with")
	}
	dir := t.TempDir() + "/locks"
	in := "file:" + dir
	b := client(t, in)
	p, next := hold(t, in, "a"), start(t, in, "run", "a", "--", "true")
	untilWaiting(t, b, "a", 1)
	table, err := os.Open(dir + "/a.table")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(table.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(releaseTimeout+closeTimeout+time.Second, func() { table.Close() })
	p.CloseInput()
	if complaint := p.ends(0) + next.ends(0); complaint != "" {
		t.Error(complaint)
	}
	inboxes, err := os.ReadDir(dir + "/.clients")
	if err != nil || len(inboxes) != 1 {
		t.Errorf("%d inboxes are left, %v; want that of the test", len(inboxes), err)
	}
}

// A process that was stopped while it changed the table keeps that for itself, perhaps for ever. Who did not want to wait is told so.
func TestNoWaitEndsWhileTheTableIsBusy(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as a store may take to answer")
	}
	dir := t.TempDir() + "/locks"
	in := "file:" + dir
	start(t, in, "run", "a", "--", "true").ends(0)
	table, err := os.Open(dir + "/a.table")
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	if err := syscall.Flock(int(table.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	var tries []process
	for _, how := range []string{"--no-wait", "--wait=0s"} {
		tries = append(tries, start(t, in, "run", how, "a", "--", "echo", "started"))
	}
	for _, p := range tries {
		p.saysNothing()
		contains(t, p.ends(69), "unavailable", "deadline")
	}
}
