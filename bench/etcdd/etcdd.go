// Package etcdd starts a real etcd for a benchmark.
package etcdd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/daemon"
)

// Server is a private etcd of one member, on a free port of the loopback interface. What it was told outlives it.
type Server struct {
	Addr    string
	Version string

	dir string
	run *daemon.Daemon
}

// Start starts a server and waits until it serves. It fails when there is no etcd in PATH.
func Start(ctx context.Context) (_ *Server, err error) {
	program, err := exec.LookPath("etcd")
	if err != nil {
		return nil, fmt.Errorf("install etcd to measure it: %w", err)
	}
	s := &Server{}
	if s.Version, err = version(ctx, program); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "lkbench-etcd"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(s.dir))
		}
	}()
	peers, err := daemon.FreeAddr()
	if err != nil {
		return nil, err
	}
	if s.Addr, err = daemon.FreeAddr(); err != nil {
		return nil, err
	}
	s.run, err = daemon.Start(ctx, "ready to serve client requests", program, "--data-dir", s.dir, "--name", "one",
		"--listen-client-urls", "http://"+s.Addr, "--advertise-client-urls", "http://"+s.Addr,
		"--listen-peer-urls", "http://"+peers, "--initial-advertise-peer-urls", "http://"+peers,
		"--initial-cluster", "one=http://"+peers)
	return s, err
}

// version asks the program for its version.
func version(ctx context.Context, program string) (string, error) {
	text, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	_, v, _ := strings.Cut(line, ": ")
	return v, nil
}

// Restart kills the server, leaves it away for a while and starts it again with its data.
func (s *Server) Restart(ctx context.Context, away time.Duration) error {
	return s.run.Restart(ctx, away)
}

// Close ends the server and removes its directory.
func (s *Server) Close() error {
	s.run.Stop()
	return os.RemoveAll(s.dir)
}
