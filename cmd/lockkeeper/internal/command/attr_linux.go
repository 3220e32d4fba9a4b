package command

import "syscall"

// attributes of a command: in a process group of its own or in ours, and killed when the thread that starts it ends.
func attributes(group bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: group, Pdeathsig: syscall.SIGKILL}
}
