package pgtest

import "syscall"

// diesWithParent makes the kernel end the server when the test process dies, however it dies.
func diesWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT} }
