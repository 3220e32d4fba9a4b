package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// startTimeout is generous: it only bounds how long a broken machine is waited for.
const startTimeout = 2 * time.Minute

// User is the superuser of every server. It needs no password.
const User = "postgres"

// A Server is a PostgreSQL server on a port of the loopback interface. Its methods are for one
// goroutine at a time, DSN and Database for any.
type Server struct {
	Addr string // host:port; it stays the same over Restart
	bin  string // directory of the programs
	dir  string // of the data and nothing else
	args []string
	env  []string // more of the environment
	hot  bool     // it is a standby

	process
}

// Start runs a private server until the end of the test. The args are appended to the command line,
// for instance "-c", "max_connections=10". Data outlive the server's end, not the machine's.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return StartWith(t, nil, args...)
}

// StartWith is Start for a server with more in its environment.
func StartWith(t testing.TB, env []string, args ...string) *Server {
	t.Helper()
	s, err := start(require(t), env, args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// start makes a data directory and runs a server on it.
func start(bin string, env, args []string) (*Server, error) {
	s := &Server{bin: bin, args: args, env: env}
	if err := s.start(s.create); err != nil {
		return nil, err
	}
	return s, nil
}

// start fills a directory and runs the server on it.
func (s *Server) start(create func() error) (err error) {
	if s.dir, err = os.MkdirTemp("", "pgtest"); err != nil {
		return err
	}
	if err = giveAway(s.dir); err == nil {
		err = create()
	}
	const tries = 5 // another process may take the port between our look and the server's bind
	var last error
	for i := 0; err == nil && i < tries; i++ {
		if s.Addr, err = freeAddr(); err == nil {
			if last = s.run(); last == nil {
				return nil
			}
		}
	}
	os.RemoveAll(s.dir)
	return errors.Join(err, last)
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// create fills the data directory.
func (s *Server) create() error {
	return s.tool("initdb", "--pgdata", s.dir, "--username", User, "--auth", "trust", "--no-sync",
		"--encoding", "UTF8", "--locale", "C")
}

// tool runs one of PostgreSQL's programs to its end.
func (s *Server) tool(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// run starts the process and returns when it accepts connections.
func (s *Server) run() error {
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	args := append([]string{
		"-D", s.dir, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200",
		"-c", "shared_buffers=32MB", "-c", "logging_collector=off", "-c", "log_destination=stderr",
	}, s.args...)
	ready := "ready to accept connections"
	if s.hot {
		ready = "ready to accept read-only connections"
	}
	s.process, err = launch(filepath.Join(s.bin, "postgres"), s.dir, ready, s.env, args...)
	return err
}

// process is a program that runs until it is told to end.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the program and its children have ended
}

// launch starts a program and returns when it has written the text.
func launch(program, dir, text string, env []string, args ...string) (process, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = dir
	cmd.SysProcAttr = attributes()
	log := &log{text: text, ready: make(chan struct{})}
	cmd.Stderr = log
	p := process{cmd, make(chan struct{})}
	if err := cmd.Start(); err != nil {
		close(p.ended)
		return p, err
	}
	go func() {
		defer close(p.ended)
		cmd.Wait() // until the children have closed their standard error, too
	}()
	name := filepath.Base(program)
	select {
	case <-log.ready:
		return p, nil
	case <-p.ended:
		return p, fmt.Errorf("%s did not start: %s", name, log)
	case <-time.After(startTimeout):
		p.end(immediate)
		return p, fmt.Errorf("%s is not ready after %v: %s", name, startTimeout, log)
	}
}

func (p process) end(sig os.Signal) {
	p.cmd.Process.Signal(sig)
	<-p.ended
}

// log is what a server has written.
type log struct {
	mu    sync.Mutex // the test's goroutine reads what exec's goroutine writes
	lines []byte
	text  string
	ready chan struct{} // closed when the text was written
	seen  bool
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 16 << 10
	l.lines = append(l.lines, p...)
	if !l.seen && bytes.Contains(l.lines, []byte(l.text)) {
		l.seen = true
		close(l.ready)
	}
	l.lines = l.lines[max(0, len(l.lines)-most):]
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.lines)
}

// Kill ends the server at once, as a crash does: connections break, and the next start recovers. It
// returns when the server has ended.
func (s *Server) Kill() { s.end(immediate) }

// Shutdown ends the server in order: transactions are rolled back, and clients are told. It returns
// when the server has ended.
func (s *Server) Shutdown() { s.end(fast) }

// Restart kills the server if it still runs, and starts it again with its data on the same address.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.Relaunch(); err != nil {
		t.Fatal(err)
	}
}

// Relaunch is Restart for a program that is no test.
func (s *Server) Relaunch() error {
	s.Kill()
	return s.run()
}

func (s *Server) close() {
	s.Kill()
	os.RemoveAll(s.dir)
}

// DSN returns the URL of a database of the server; "postgres" is always there.
func (s *Server) DSN(database string) string {
	return "postgres://" + User + "@" + s.Addr + "/" + database + "?sslmode=disable"
}

var databases atomic.Int64

// Database makes an empty database that no other call returns, and returns its DSN.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := "t" + strconv.FormatInt(databases.Add(1), 10)
	host, port, _ := net.SplitHostPort(s.Addr)
	if err := s.tool("createdb", "-h", host, "-p", port, "-U", User, "-T", "template0", name); err != nil {
		t.Fatal(err)
	}
	return s.DSN(name)
}
