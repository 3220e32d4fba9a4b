package actor

import (
	"context"
	"log/slog"
	"sync"
	"testing"
)

// quiet is a system whose log is discarded, shut down at the end of the test.
func quiet(t testing.TB, opts ...Option) *System {
	t.Helper()
	s := NewSystem(append([]Option{WithLogger(slog.New(slog.DiscardHandler))}, opts...)...)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // whatever a test has left is stopped, not drained
		_ = s.Shutdown(ctx)
		_ = s.Shutdown(context.Background()) // what escalated is the test's business
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

// An order is a message that says itself what its handler does.
type order func(s *Self[order], ctx context.Context) error

// worker is an actor that does what it is told.
func worker(t testing.TB, in Scope, opts ...SpawnOption) Ref[order] {
	t.Helper()
	return spawn(t, in, func(s *Self[order], ctx context.Context, do order) error { return do(s, ctx) }, opts...)
}

// tell is Tell that must succeed.
func tell[M any](t testing.TB, r Ref[M], msg M) {
	t.Helper()
	if err := r.Tell(context.Background(), msg); err != nil {
		t.Errorf("Tell: %v", err)
	}
}

// block keeps the actor busy until release is called, and returns when it is.
func block(t testing.TB, r Ref[order]) (release func()) {
	t.Helper()
	began, free := make(chan struct{}), make(chan struct{})
	tell(t, r, func(*Self[order], context.Context) error {
		close(began)
		<-free
		return nil
	})
	<-began
	return sync.OnceFunc(func() { close(free) })
}

// nothing is an order that does nothing.
func nothing(*Self[order], context.Context) error { return nil }

// note returns an order that puts v into ch.
func note[T any](ch chan<- T, v T) order {
	return func(*Self[order], context.Context) error {
		ch <- v
		return nil
	}
}

// question is a message with an answer.
type question struct {
	n     int
	reply Reply[int]
}

func ask(ctx context.Context, to Ref[question], n int) (int, error) {
	return Ask(ctx, to, func(r Reply[int]) question { return question{n, r} })
}

// askWorker asks a worker with an order that is given the reply.
func askWorker(ctx context.Context, to Ref[order], do func(s *Self[order], r Reply[int]) error) (int, error) {
	return Ask(ctx, to, func(r Reply[int]) order {
		return func(s *Self[order], _ context.Context) error { return do(s, r) }
	})
}

func cancelledContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
