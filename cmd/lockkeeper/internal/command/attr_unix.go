//go:build unix && !linux

package command

import "syscall"

// attributes of a command: in a process group of its own or in ours. There is no request to the kernel here that it
// should die with us.
func attributes(group bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: group}
}
