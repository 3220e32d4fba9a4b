package redistest

import "syscall"

// diesWithParent makes the kernel kill the server when the test process dies, however it dies.
func diesWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
