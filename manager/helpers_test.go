package manager

import (
	"context"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
)

// newManager returns a manager that is closed at the end of the test.
func newManager(t testing.TB, b backends.Backend, opts ...Option) *Manager {
	t.Helper()
	m, err := New(b, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return m
}
