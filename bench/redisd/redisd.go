// Package redisd starts a real redis-server for a benchmark and reads its counters.
package redisd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a private redis-server without persistence, on a free port of the loopback interface.
type Server struct {
	Addr   string
	Client *redis.Client // for the benchmark's own questions; its commands are among those counted

	dir     string
	cmd     *exec.Cmd
	drained chan struct{} // closed when the server has closed its output
}

// Start starts a server and waits until it takes connections. It fails when there is no redis-server in PATH.
func Start(ctx context.Context) (_ *Server, err error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("install redis-server to measure Redis: %w", err)
	}
	s := &Server{drained: make(chan struct{})}
	if s.dir, err = os.MkdirTemp("", "lkbench-redis"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(s.dir))
		}
	}()
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s.cmd = exec.Command(program, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--maxclients", "10000")
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan bool, 1)
	go s.read(out, ready)
	select {
	case ok := <-ready:
		if !ok {
			<-s.drained
			return nil, fmt.Errorf("redis-server on port %d did not start: %w", port, s.cmd.Wait())
		}
	case <-ctx.Done(): // nobody waits for the server any more
		s.end()
		return nil, ctx.Err()
	}
	s.Client = redis.NewClient(&redis.Options{Addr: s.Addr})
	return s, nil
}

// read reads the server's log to its end and tells when it is ready, or that it never was.
func (s *Server) read(out io.Reader, ready chan<- bool) {
	defer close(s.drained)
	told := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !told && strings.Contains(lines.Text(), "eady to accept connections") {
			ready <- true
			told = true
		}
	}
	if !told {
		ready <- false
	}
}

// Close ends the server and removes its directory.
func (s *Server) Close() error {
	err := s.Client.Close()
	s.end()
	return errors.Join(err, os.RemoveAll(s.dir))
}

// end ends the process and waits for it. Its exit status is of no interest: it has nothing to save.
func (s *Server) end() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(5*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	<-s.drained
	_ = s.cmd.Wait()
}

// Counts are calls by command, in lower case, those that scripts make included.
type Counts map[string]int64

// Counts returns the calls since the server was started.
func (s *Server) Counts(ctx context.Context) (Counts, error) {
	text, err := s.Client.Info(ctx, "commandstats").Result()
	if err != nil {
		return nil, err
	}
	c := Counts{}
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ":calls=")
		if !ok {
			continue
		}
		calls, _, _ := strings.Cut(rest, ",")
		n, err := strconv.ParseInt(calls, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("commandstats %q: %w", line, err)
		}
		c[strings.TrimPrefix(name, "cmdstat_")] = n
	}
	return c, nil
}

// Since returns what was called after the earlier count.
func (c Counts) Since(earlier Counts) Counts {
	d := Counts{}
	for name, n := range c {
		if n -= earlier[name]; n != 0 {
			d[name] = n
		}
	}
	return d
}

// network are the commands that come over a connection and never from a script.
var network = []string{
	"eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "script|load", "subscribe", "unsubscribe",
	"psubscribe", "ssubscribe", "sunsubscribe", "ping", "wait", "multi", "exec", "watch",
}

// Network returns the number of commands that clients sent, connection set-up aside. More are commands that scripts
// could make too, but in this workload only clients do.
func (c Counts) Network(more ...string) int64 {
	var n int64
	for _, name := range network {
		n += c[name]
	}
	for _, name := range more {
		n += c[name]
	}
	return n
}

// CPU returns the processor time that the server has used.
func (s *Server) CPU(ctx context.Context) (time.Duration, error) {
	text, err := s.Client.Info(ctx, "cpu").Result()
	if err != nil {
		return 0, err
	}
	var sum float64
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			x, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, fmt.Errorf("info cpu %q: %w", line, err)
			}
			sum += x
		}
	}
	return time.Duration(sum * float64(time.Second)), nil
}

// freePort returns a port that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
