package pgtest

import (
	"net"
	"testing"
)

// Standby runs a hot standby of the server until the end of the test. It copies the data from the
// server, and streams from via, which is the server's address or that of a proxy. What the server
// commits from now on reaches it a moment later.
func (s *Server) Standby(t testing.TB, via string) *Server {
	t.Helper()
	host, port, err := net.SplitHostPort(via)
	if err != nil {
		t.Fatal(err)
	}
	d := &Server{bin: s.bin, env: s.env, hot: true}
	if err := d.start(func() error {
		return d.tool("pg_basebackup", "-h", host, "-p", port, "-U", User, "-D", d.dir, "-R", "-X", "stream", "-c", "fast", "-N")
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

// Promote makes a standby a server of its own. It returns when the server takes writes.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	if err := s.tool("pg_ctl", "promote", "-D", s.dir, "-w"); err != nil {
		t.Fatal(err)
	}
	s.hot = false
}
