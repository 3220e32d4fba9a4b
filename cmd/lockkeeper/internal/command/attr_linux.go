package command

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes of a command: in this process group, or if that is 0, in one of its own. It is killed
// when the thread that starts it ends.
func attributes(group int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pgid: group, Pdeathsig: syscall.SIGKILL}
}

// holderAttributes are those of a holder: a process group of its own, which no terminal stops. It is
// continued when the thread that starts it ends, so that it learns of that even if it was stopped.
func holderAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGCONT}
}

// executable is this program, even if its file was replaced.
func executable() (string, error) { return "/proc/self/exe", nil }

// wakeAtEnd has the kernel continue this process when the other end of a pipe is closed, so that a
// stopped front learns of its holder's death.
func wakeAtEnd(pipe *os.File) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // without it, the front learns of it when it goes on
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		if err != nil {
			return
		}
		_, _ = unix.FcntlInt(fd, unix.F_SETOWN, unix.Getpid())
		_, _ = unix.FcntlInt(fd, unix.F_SETSIG, int(unix.SIGCONT))
		_, _ = unix.FcntlInt(fd, unix.F_SETFL, flags|unix.O_ASYNC)
	})
}
