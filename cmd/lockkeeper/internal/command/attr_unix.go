//go:build unix && !linux

package command

import "syscall"

// attributes of a command: in our process group, or apart: in that of leader, or, if that is 0, in one of its own. There is no request
// to the kernel here that it should die with us.
func attributes(apart bool, leader int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: apart, Pgid: leader}
}
