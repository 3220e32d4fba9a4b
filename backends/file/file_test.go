package file

import (
	"runtime"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/backendtest"
)

func open(t testing.TB, dir string, opts ...Option) *Backend {
	t.Helper()
	b, err := New(dir, opts...)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Errorf("Close: %v", err)
		}
		<-b.closed
	})
	return b
}

// trustEvents stretches the time between looks, for nothing may hang on them; but on Windows nothing else tells of a death.
func trustEvents(b *Backend) {
	if runtime.GOOS != "windows" {
		b.timing.net = time.Hour
	}
}

// live returns of how many names a client has something open.
func live(b *Backend) (n int) {
	b.resources.Range(func(any, any) bool { n++; return true })
	return n
}

func TestContract(t *testing.T) {
	backendtest.Run(t, func(t testing.TB) backendtest.Env {
		dir := t.TempDir() + "/locks"
		return backendtest.Env{
			Open: func(t testing.TB) backends.Backend {
				b, err := New(dir)
				if err != nil {
					t.Fatalf("New: %v", err)
				}
				trustEvents(b)
				return b
			},
		}
	})
}

// TestContractBetweenProcesses runs every clause with each client in a process of its own.
func TestContractBetweenProcesses(t *testing.T) {
	backendtest.Run(t, func(t testing.TB) backendtest.Env {
		dir := t.TempDir() + "/locks"
		return backendtest.Env{
			Open:   func(t testing.TB) backends.Backend { return startClient(t, dir) },
			Crash:  func(_ testing.TB, b backends.Backend) { b.(*distant).p.Kill(); <-b.(*distant).done },
			Rounds: 20,
		}
	})
}
