//go:build unix

package command

import (
	"os/exec"
	"syscall"
	"testing"
)

// victim starts a process in the group of leader, or if that is 0, in one of its own, and returns it.
func victim(t *testing.T, leader int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: leader}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func signalOf(t *testing.T, cmd *exec.Cmd) syscall.Signal {
	t.Helper()
	_ = cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		t.Fatalf("ended with %v, want a signal", cmd.ProcessState)
	}
	return status.Signal()
}

// orphan does to the guard what the death of this process would.
func (g *guard) orphan() {
	g.in.Close()
	g.out.Close()
}

// collect waits for the guard's end, and says how it came.
func (g *guard) collect(t *testing.T) syscall.WaitStatus {
	t.Helper()
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(g.pid, &status, 0, nil); err != nil {
		t.Error(err)
	}
	return status
}

func TestGuardKillsWhenItsKeeperDies(t *testing.T) {
	g := newGuard()
	if g == nil {
		t.Fatal("no guard: is there no /bin/sh?")
	}
	v := victim(t, 0)
	g.protect(v.Process.Pid)
	g.orphan()
	if got := signalOf(t, v); got != syscall.SIGKILL {
		t.Errorf("ended by %v, want SIGKILL", got)
	}
	if status := g.collect(t); !status.Exited() {
		t.Errorf("the guard's status is %x", status)
	}
}

// Its keeper may die before it knows what it has started, and before the guard has begun to look.
func TestGuardKillsItsGroupUntold(t *testing.T) {
	for name, signals := range map[string][]syscall.Signal{
		"at once":       nil,
		"after signals": {syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2},
	} {
		g := newGuard()
		g.protect(ownGroup)
		for _, s := range signals {
			g.arm()
			if err := syscall.Kill(-g.leads(), s); err != nil {
				t.Error(err)
			}
		}
		a, b := victim(t, g.leads()), victim(t, g.leads())
		g.orphan()
		for _, v := range []*exec.Cmd{a, b} {
			if got := signalOf(t, v); got != syscall.SIGKILL {
				t.Errorf("%s: ended by %v, want SIGKILL", name, got)
			}
		}
		if status := g.collect(t); status.Signal() != syscall.SIGKILL {
			t.Errorf("%s: the guard's status is %x", name, status)
		}
	}
}

// A guard that was killed still holds the number of its group.
func TestGroupOfADeadGuardIsStillItsOwn(t *testing.T) {
	g := newGuard()
	if err := syscall.Kill(g.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	v := victim(t, g.leads())
	if err := syscall.Kill(-g.leads(), syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if got := signalOf(t, v); got != syscall.SIGTERM {
		t.Errorf("ended by %v, want our SIGTERM", got)
	}
	g.arm() // does not wait for one that will never be ready
	g.dismiss()
}

func TestDismissedGuardKillsNobody(t *testing.T) {
	g := newGuard()
	g.protect(ownGroup)
	v := victim(t, g.leads())
	g.dismiss()
	newGuard().dismiss() // one that was never told a target
	if err := v.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := signalOf(t, v); got != syscall.SIGTERM {
		t.Errorf("ended by %v, want our SIGTERM", got)
	}
	(*guard)(nil).protect(1)
	(*guard)(nil).dismiss()
}
