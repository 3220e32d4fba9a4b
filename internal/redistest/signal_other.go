//go:build !unix

package redistest

import "testing"

// Stop skips the test: this system cannot freeze a process.
func (s *Server) Stop(t testing.TB) { t.Skip("SKIPPED: no SIGSTOP on this system") }

// Cont does nothing.
func (s *Server) Cont(testing.TB) {}
