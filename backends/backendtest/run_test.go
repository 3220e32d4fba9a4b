package backendtest_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/backendtest"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// env is a store in memory whose clients are all changed in the same way.
func env(change func(*hooks)) func(testing.TB) backendtest.Env {
	return func(testing.TB) backendtest.Env {
		store := memory.New()
		return backendtest.Env{
			Rounds: 40,
			Open: func(testing.TB) backends.Backend {
				h := &hooks{intercept.Backend{Backend: store.Peer()}}
				change(h)
				return h
			},
			Crash: func(_ testing.TB, b backends.Backend) { _ = b.Close(context.Background()) },
			CutOff: func(_ testing.TB, b backends.Backend) func() {
				return b.(*hooks).cutOff(backends.ErrUnavailable)
			},
		}
	}
}

// cutOff makes every call fail that the clause about it makes, until restore is called.
func (h *hooks) cutOff(err error) func() {
	before := h.Backend
	h.OnStart = func(op *backends.Op, _ start) backends.Work { op.Fail(err); return nil }
	h.OnInspect = func(context.Context, string, intercept.Inspect) (backends.State, error) { return backends.State{}, err }
	h.OnRenew = func(_ context.Context, rs []backends.Renewal, _ intercept.Renew) []backends.Renewed {
		return slices.Repeat([]backends.Renewed{{Err: err}}, len(rs))
	}
	return func() { h.Backend = before }
}

// expiringEnv is a store whose grants expire.
func expiringEnv(change func(*expiring)) func(testing.TB) backendtest.Env {
	return func(testing.TB) backendtest.Env {
		store := memory.New()
		return backendtest.Env{
			TTL:    backends.MinTTL,
			Rounds: 40,
			Open: func(testing.TB) backends.Backend {
				b := newExpiring(store)
				change(b)
				return b
			},
		}
	}
}

func TestCorrectStoresPass(t *testing.T) {
	for name, open := range map[string]func(testing.TB) backendtest.Env{
		"plain":    env(func(*hooks) {}),
		"lazy":     env(func(h *hooks) { new(lazy).install(h) }),
		"expiring": expiringEnv(func(*expiring) {}),
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range backendtest.Clauses() {
				if p := try(t, c, open); p.failed {
					t.Errorf("%s: a correct store failed:\n%s", c.Name, p.log.String())
				}
			}
		})
	}
}

func TestMissingCapabilityIsLogged(t *testing.T) {
	open := func(testing.TB) backendtest.Env {
		store := memory.New()
		return backendtest.Env{Open: func(testing.TB) backends.Backend { return store.Peer() }}
	}
	for _, c := range backendtest.Clauses() {
		missing := strings.HasPrefix(c.Name, "Expiry/") || strings.HasPrefix(c.Name, "Crash/") ||
			slices.Contains([]string{"CutOff/IsUnavailable", "Input/InvalidTTL", "Break/Unsupported", "Detach/Unsupported"}, c.Name)
		if p := try(t, c, open); p.skipped != missing || missing && !strings.Contains(p.log.String(), "not checked") {
			t.Errorf("%s: skipped: %v; want %v; log: %s", c.Name, p.skipped, missing, p.log.String())
		}
	}
}

func TestClausesHaveNamesAndTexts(t *testing.T) {
	seen := make(map[string]bool)
	for _, c := range backendtest.Clauses() {
		if c.Name == "" || c.Text == "" || seen[c.Name] {
			t.Errorf("clause %q has no name of its own or no text", c.Name)
		}
		seen[c.Name] = true
	}
}
