package actor

import (
	"context"
	"io"
	"log/slog"
	"testing"
)

// quiet is a system whose log is discarded, shut down at the end of the test.
func quiet(t testing.TB, opts ...Option) *System {
	t.Helper()
	s := NewSystem(append([]Option{WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))}, opts...)...)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // whatever a test has left is stopped, not drained
		_ = s.Shutdown(ctx)
		if err := s.Shutdown(context.Background()); err != nil {
			t.Logf("shutdown: %v", err)
		}
	})
	return s
}

// spawn starts an actor whose behavior is one function.
func spawn[M any](t testing.TB, in Scope, receive func(*Self[M], context.Context, M) error, opts ...SpawnOption) Ref[M] {
	t.Helper()
	r, err := Spawn(in, "test", func(s *Self[M]) (Behavior[M], error) {
		return BehaviorFunc[M](func(ctx context.Context, msg M) error { return receive(s, ctx, msg) }), nil
	}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// question is a message with an answer.
type question struct {
	n     int
	reply Reply[int]
}

func ask(ctx context.Context, to Ref[question], n int) (int, error) {
	return Ask(ctx, to, func(r Reply[int]) question { return question{n, r} })
}
