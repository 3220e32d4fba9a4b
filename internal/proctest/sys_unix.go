//go:build unix

package proctest

import "syscall"

// Continue continues a stopped process, with SIGCONT.
func (p *Process) Continue() {
	p.t.Helper()
	p.Signal(syscall.SIGCONT)
}
