package command

import "syscall"

// attributes of a command: in our process group, or apart: in that of leader, or, if that is 0, in one of its own. It is killed when
// the thread that starts it ends.
func attributes(apart bool, leader int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: apart, Pgid: leader, Pdeathsig: syscall.SIGKILL}
}
