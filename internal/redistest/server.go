package redistest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// binary is what is run; the environment variable REDIS_SERVER names another one.
func binary() string {
	if b := os.Getenv("REDIS_SERVER"); b != "" {
		return b
	}
	return "redis-server"
}

// startTimeout is generous: it only bounds how long a broken machine is waited for.
const startTimeout = 30 * time.Second

// Server is a redis-server process on a port of the loopback interface. Its methods are for one goroutine at a time, Addr and
// Prefix for any.
type Server struct {
	Addr string // host:port; it stays the same over Restart
	dir  string
	args []string // after those that every server has
	conf string   // of a sentinel; else empty
	bus  int      // port for the other nodes of a cluster; else 0
	tls  bool     // encrypted connections only
	env  []string // more of the environment

	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process has ended and was waited for
	closed bool
}

// Start runs a private server until the end of the test. Nothing is persisted unless args say so: they are appended
// to the command line, for instance "--appendonly", "yes".
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	require(t)
	return launch(t, Server{args: args})
}

// StartWith is Start for a server with more in its environment.
func StartWith(t testing.TB, env []string, args ...string) *Server {
	t.Helper()
	return launch(t, Server{args: args, env: env})
}

// StartTLS is Start for a server that takes TLS connections only, with the certificate and the key in these files. It
// does not ask clients for a certificate.
func StartTLS(t testing.TB, cert, key string) *Server {
	t.Helper()
	return startTLS(t, cert, key, "no")
}

// StartMutualTLS is StartTLS for a server that refuses clients without a certificate that the given one vouches for.
func StartMutualTLS(t testing.TB, cert, key string) *Server {
	t.Helper()
	return startTLS(t, cert, key, "yes")
}

func startTLS(t testing.TB, cert, key, clients string) *Server {
	t.Helper()
	return launch(t, Server{tls: true, args: []string{
		"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", clients,
	}})
}

// launch runs a server like the one given until the end of the test.
func launch(t testing.TB, like Server) *Server {
	t.Helper()
	require(t)
	like.dir = t.TempDir()
	s, err := start(like)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

func require(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath(binary()); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("redis-server is missing, and CI=true forbids to skip: %v", err)
		}
		t.Skipf("SKIPPED, NOTHING WAS TESTED: redis-server is missing: %v", err)
	}
}

func start(like Server) (*Server, error) {
	const tries = 5 // somebody else may take the port between our look and the server's bind
	var err error
	for range tries {
		var port int
		if port, err = freePort(); err != nil {
			return nil, err
		}
		s := like
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if err = s.run(accepting, sentinel); err == nil {
			return &s, nil
		}
	}
	return nil, err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// What servers log.
const (
	accepting = "Ready to accept connections"
	loading   = "Loading RDB"
	sentinel  = "Sentinel ID is"
)

// run starts the process and returns when it has logged one of the texts.
func (s *Server) run(texts ...string) error {
	args, err := s.commandLine()
	if err != nil {
		return err
	}
	cmd := exec.Command(binary(), args...)
	cmd.SysProcAttr = diesWithParent()
	cmd.Env = append(os.Environ(), s.env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	log := &tail{}
	go func() {
		defer close(ended)
		log.watch(out, ready, texts)
		cmd.Wait() // the process's end is all that counts: tests kill it
	}()
	s.cmd, s.ended = cmd, ended
	select {
	case <-ready:
		return nil
	case <-ended:
		return fmt.Errorf("redis-server %s did not start: %s", strings.Join(args, " "), log)
	case <-time.After(startTimeout):
		s.Kill()
		return fmt.Errorf("redis-server %s is not ready after %v: %s", strings.Join(args, " "), startTimeout, log)
	}
}

func (s *Server) commandLine() ([]string, error) {
	_, port, _ := net.SplitHostPort(s.Addr)
	if s.conf != "" {
		file := filepath.Join(s.dir, "sentinel.conf")
		conf := "port " + port + "\nbind 127.0.0.1\ndir " + s.dir + "\n" + s.conf
		return []string{file, "--sentinel"}, os.WriteFile(file, []byte(conf), 0o600)
	}
	ports := []string{"--port", port}
	if s.tls {
		ports = []string{"--port", "0", "--tls-port", port}
	}
	return append(append(ports, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no",
		"--daemonize", "no", "--loglevel", "notice", "--logfile", "", "--repl-diskless-sync-delay", "0"), s.args...), nil
}

// tail keeps the last lines of a server's log, for messages.
type tail struct {
	mu    sync.Mutex // no actor is near: the lines are read by the test's goroutine and written by the watcher's
	lines []string
}

func (l *tail) watch(r io.Reader, ready chan struct{}, texts []string) {
	var once sync.Once
	for sc := bufio.NewScanner(r); sc.Scan(); {
		for _, text := range texts {
			if strings.Contains(sc.Text(), text) {
				once.Do(func() { close(ready) })
			}
		}
		const most = 20
		l.mu.Lock()
		if l.lines = append(l.lines, sc.Text()); len(l.lines) > most {
			l.lines = l.lines[1:]
		}
		l.mu.Unlock()
	}
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// Kill ends the process at once, as kill -9 does, and returns when it has ended.
func (s *Server) Kill() {
	s.cmd.Process.Kill()
	<-s.ended
}

// Restart kills the process if it still runs and starts it again on the same address. Without persistence it is empty.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.restart(t, accepting, sentinel)
}

// RestartLoading is Restart, but returns when the server begins to load its snapshot: until it has, it refuses commands.
func (s *Server) RestartLoading(t testing.TB) {
	t.Helper()
	s.restart(t, loading)
}

func (s *Server) restart(t testing.TB, texts ...string) {
	t.Helper()
	s.Kill()
	if err := s.run(texts...); err != nil {
		t.Fatal(err)
	}
}

// Dir returns the server's working directory: its database and append-only files, if any, lie there.
func (s *Server) Dir() string { return filepath.Clean(s.dir) }

func (s *Server) close() {
	if !s.closed {
		s.closed = true
		s.Kill()
	}
}

// Client returns a client of the server, which is closed at the end of the test.
func (s *Server) Client(t testing.TB) *redis.Client {
	t.Helper()
	return s.ClientOf(t, &redis.Options{})
}

// ClientOf is Client with options; an empty address is the server's.
func (s *Server) ClientOf(t testing.TB, opt *redis.Options) *redis.Client {
	t.Helper()
	if opt.Addr == "" {
		opt.Addr = s.Addr
	}
	c := redis.NewClient(opt)
	t.Cleanup(func() { c.Close() })
	return c
}

var prefixes atomic.Int64

// Prefix returns a prefix for keys that no other call in this process returns.
func (s *Server) Prefix() string {
	return fmt.Sprintf("t%d-%d:", os.Getpid(), prefixes.Add(1))
}

// Calls returns how often each command was called since the last ResetCalls, by its lower-case name with "|" before a
// subcommand. Calls from inside scripts are among them, so look only at commands that no script calls: "evalsha".
func (s *Server) Calls(t testing.TB) map[string]int64 {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer c.Close()
	info, err := c.Info(context.Background(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	calls := make(map[string]int64)
	for line := range strings.Lines(info) {
		name, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "cmdstat_"), ":calls=")
		if !ok {
			continue
		}
		n, _, _ := strings.Cut(rest, ",")
		if calls[name], err = strconv.ParseInt(n, 10, 64); err != nil {
			t.Fatalf("commandstats line %q: %v", line, err)
		}
	}
	return calls
}

// ResetCalls sets the counters of Calls to zero.
func (s *Server) ResetCalls(t testing.TB) {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer c.Close()
	if err := c.ConfigResetStat(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
}
