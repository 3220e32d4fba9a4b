//go:build unix

package command

import (
	"os/exec"
	"syscall"
	"testing"
)

// victim starts a process in a group of its own and returns it.
func victim(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
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

func TestGuardKillsWhenItsKeeperDies(t *testing.T) {
	for name, target := range map[string]func(pid int) int{
		"a process": func(pid int) int { return pid },
		"a group":   func(pid int) int { return -pid },
	} {
		g := newGuard()
		if g == nil {
			t.Fatal("no guard: is there no /bin/sh?")
		}
		v := victim(t)
		g.protect(target(v.Process.Pid))
		g.in.Close() // as the death of this process would
		if got := signalOf(t, v); got != syscall.SIGKILL {
			t.Errorf("%s: ended by %v, want SIGKILL", name, got)
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(g.pid, &status, 0, nil); err != nil {
			t.Error(err)
		}
	}
}

func TestDismissedGuardKillsNobody(t *testing.T) {
	v := victim(t)
	g := newGuard()
	g.protect(-v.Process.Pid)
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
