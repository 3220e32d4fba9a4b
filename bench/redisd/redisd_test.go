package redisd

import (
	"os"
	"os/exec"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// start starts a server for one test. Without redis-server the test is skipped, but fails where CI says that it must not.
func start(t *testing.T) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil && os.Getenv("CI") == "" {
		t.Skip("redis-server is not installed: NOTHING about Redis is tested here")
	}
	s, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestServerCountsCommandsOfClientsAndScripts(t *testing.T) {
	ctx := t.Context()
	s := start(t)
	before, err := s.Counts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.Client.Eval(ctx, "return redis.call('SET', KEYS[1], 1)", []string{"k"}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	after, err := s.Counts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	d := after.Since(before)
	if d.Network() != 3 || d["set"] != 3 || d.Network("set") != 6 {
		t.Errorf("counted %v: %d network commands, %d with set; want 3 and 6", d, d.Network(), d.Network("set"))
	}
	if cpu, err := s.CPU(ctx); err != nil || cpu <= 0 {
		t.Errorf("server's processor time %v, %v", cpu, err)
	}
}
