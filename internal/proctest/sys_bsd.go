//go:build unix && !linux

package proctest

import "syscall"

// Stop sends SIGSTOP. It does not know here when the process stands still.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGSTOP)
}
