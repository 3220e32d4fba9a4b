//go:build unix && !linux

package command

import (
	"os"
	"syscall"
)

// attributes of a command: in this process group, or if that is 0, in one of its own. There is no
// request to the kernel here that it should die with us.
func attributes(group int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pgid: group}
}

// holderAttributes are those of a holder: a process group of its own, which no terminal stops.
func holderAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// executable is this program.
func executable() (string, error) { return os.Executable() }

// wakeAtEnd does nothing: a front that is stopped learns of its holder's death when it goes on.
func wakeAtEnd(*os.File) {}
