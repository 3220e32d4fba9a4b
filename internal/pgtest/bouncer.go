package pgtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Bouncer runs a PgBouncer in front of the server until the end of the test, in transaction mode,
// and returns its address. Where PgBouncer is not installed the test is skipped, loudly; with
// CI=true in the environment it fails instead.
func (s *Server) Bouncer(t testing.TB) (addr string) {
	t.Helper()
	return s.BouncerIn(t, "transaction")
}

// BouncerIn is [Server.Bouncer] in another mode: "session" or "statement".
func (s *Server) BouncerIn(t testing.TB, mode string) (addr string) {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/pgbouncer") // off the PATH of most users
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("pgbouncer is missing, and CI=true forbids to skip: %v", err)
		}
		t.Skipf("SKIPPED, NOTHING WAS TESTED: pgbouncer is missing: %v", err)
	}
	dir, err := os.MkdirTemp("", "pgtest")
	if err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		err = giveAway(dir)
	}
	const tries = 5 // another process may take the port between our look and the bind
	for i := 0; err == nil && i < tries; i++ {
		var p process
		if p, addr, err = s.bounce(program, dir, mode); err == nil {
			t.Cleanup(func() { p.end(immediate) })
			return addr
		}
	}
	t.Fatal(err)
	return ""
}

func (s *Server) bounce(program, dir, mode string) (p process, addr string, err error) {
	if addr, err = freeAddr(); err != nil {
		return p, "", err
	}
	host, port, _ := net.SplitHostPort(addr)
	serverHost, serverPort, _ := net.SplitHostPort(s.Addr)
	conf := fmt.Sprintf(`[databases]
* = host=%s port=%s user=%s
[pgbouncer]
listen_addr = %s
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = 10
max_client_conn = 500
`, serverHost, serverPort, User, host, port, mode)
	file := filepath.Join(dir, "pgbouncer.ini")
	if err = os.WriteFile(file, []byte(conf), 0o644); err != nil { // for the user that runs it
		return p, "", err
	}
	p, err = launch(program, dir, "process up", nil, file)
	return p, addr, err
}
