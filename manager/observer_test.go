package manager_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
)

// lines passes on what is logged.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// both waits for a line that has the first text and one that has the second, in any order.
func (l lines) both(t *testing.T, first, second string) (a, b string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for a == "" || b == "" {
		select {
		case line := <-l:
			if strings.Contains(line, first) {
				a = line
			} else if strings.Contains(line, second) {
				b = line
			}
		case <-deadline:
			t.Fatalf("no line with %q or none with %q", first, second)
		}
	}
	return a, b
}

//go:noinline
func holdTooLong(ctx context.Context, m *manager.Manager) (*manager.Lease, error) {
	return m.Lock("invoices").Acquire(ctx)
}

//go:noinline
func waitTooLong(ctx context.Context, m *manager.Manager) error {
	_, err := m.Lock("invoices").Acquire(ctx)
	return err
}

// Who finds a name stuck sees from outside who holds it, since when, and who waits: in the
// statistics, in the log, in the profiles, and in the error of the waiter.
func TestAStuckNameTellsWhoHoldsItAndWhoWaits(t *testing.T) {
	logged := make(lines, 1000)
	m, err := manager.New(memory.New(), manager.WithLabel("billing"), manager.WithProfiles(),
		manager.WithSlowLog(time.Millisecond, time.Millisecond),
		manager.WithLogger(slog.New(slog.NewTextHandler(logged, nil))))
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	lease, err := holdTooLong(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- waitTooLong(ctx, m) }()
	const site = "observer_test.go:"
	wait, hold := logged.both(t, "a wait is long", "a hold is long")
	for _, line := range []string{wait, hold} {
		if !strings.Contains(line, "label=billing") || !strings.Contains(line, "name=invoices") || strings.Count(line, site) == 0 {
			t.Errorf("log: %s", line)
		}
	}
	if strings.Count(wait, site) != 2 {
		t.Errorf("waiter and holder: %s", wait)
	}

	s := m.Stats()
	if s.PID != os.Getpid() || s.Label != "billing" || s.LongestHold.Before(before) || s.OldestWaiter.Before(s.LongestHold) {
		t.Errorf("stats: %+v", s)
	}
	if r := s.Resources[0]; r.Name != "invoices" || !strings.Contains(r.Holders[0].Site, site) ||
		!strings.Contains(r.Waiters[0].Site, site) || r.Holders[0].Site == r.Waiters[0].Site || r.Holders[0].Token != lease.Token() {
		t.Errorf("row: %+v", r)
	}
	for name, function := range map[string]string{"holders": "holdTooLong", "waiters": "waitTooLong"} {
		var text bytes.Buffer
		if err := pprof.Lookup("lockkeeper."+name).WriteTo(&text, 1); err != nil || !strings.Contains(text.String(), function) {
			t.Errorf("profile of %s: %v\n%s", name, err, &text)
		}
	}
	cancel()
	if err := <-failed; !strings.Contains(err.Error(), "held by "+s.Resources[0].Holders[0].Site+" since ") {
		t.Errorf("the waiter got %v", err)
	}
	if err := lease.Release(); err != nil {
		t.Error(err)
	}
	if err := m.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
