// Package redisd starts a real redis-server for a benchmark and reads its counters.
package redisd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/bench/daemon"
)

// Server is a private redis-server on a free port of the loopback interface.
type Server struct {
	Addr   string
	Client *redis.Client // for the benchmark's own questions; its commands are among those counted

	dir string
	run *daemon.Daemon
}

// Start starts a server and waits until it takes connections. Nothing is persisted unless args say so: they are
// appended to the command line. It fails when there is no redis-server in PATH.
func Start(ctx context.Context, args ...string) (_ *Server, err error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("install redis-server to measure Redis: %w", err)
	}
	s := &Server{}
	if s.dir, err = os.MkdirTemp("", "lkbench-redis"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(s.dir))
		}
	}()
	if s.Addr, err = daemon.FreeAddr(); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return nil, err
	}
	args = append([]string{
		"--bind", host, "--port", port, "--dir", s.dir, "--save", "", "--appendonly", "no", "--maxclients", "10000",
	}, args...)
	if s.run, err = daemon.Start(ctx, "eady to accept connections", program, args...); err != nil {
		return nil, err
	}
	s.Client = redis.NewClient(&redis.Options{Addr: s.Addr})
	return s, nil
}

// Restart kills the server, leaves it away for a while and starts it again with what it has persisted.
func (s *Server) Restart(ctx context.Context, away time.Duration) error {
	return s.run.Restart(ctx, away)
}

// Close ends the server and removes its directory.
func (s *Server) Close() error {
	err := s.Client.Close()
	s.run.Stop()
	return errors.Join(err, os.RemoveAll(s.dir))
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
