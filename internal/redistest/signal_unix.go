//go:build unix

package redistest

import (
	"syscall"
	"testing"
)

// Stop freezes the process (SIGSTOP): connections stay open, nothing is answered. Cont lets it go on.
func (s *Server) Stop(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Cont ends what Stop began.
func (s *Server) Cont(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}
