// Package managertest makes managers for the tests of the packages that use them.
package managertest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

// New returns a manager that is closed at the end of the test.
func New(t testing.TB, b backends.Backend, opts ...manager.Option) *manager.Manager {
	t.Helper()
	m, err := manager.New(b, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(context.Background()) })
	return m
}

// Memory is New over a store of its own.
func Memory(t testing.TB, opts ...manager.Option) *manager.Manager {
	t.Helper()
	return New(t, memory.New(), opts...)
}

// Redis is New over a client of its own, as another process has it. Managers with the same prefix
// lock each other out.
func Redis(t testing.TB, s *redistest.Server, prefix string, opts ...manager.Option) *manager.Manager {
	t.Helper()
	b, err := redis.New(s.Client(t), redis.WithPrefix(prefix))
	if err != nil {
		t.Fatal(err)
	}
	return New(t, b, opts...)
}

// AwaitReleased waits until nothing holds the name, which may be kept by manager.HoldAtLeast.
func AwaitReleased(t testing.TB, m *manager.Manager, name string) {
	t.Helper()
	held := func(h backends.Holder) bool { return h.Kept == 0 }
	for {
		state, err := m.Inspect(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(state.Holders, held) {
			return
		}
		<-time.After(time.Millisecond) // no store tells of a release but to those who wait
	}
}
