package backends_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

var db = backends.Request{
	Resource: backends.Resource{Name: "db", Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1,
}

type blocking = func(context.Context, backends.Backend, backends.Request) (backends.Grant, error)

// free fails the test unless nobody holds db or waits for it.
func free(t *testing.T, b backends.Backend) {
	t.Helper()
	state, err := b.Inspect(context.Background(), "db")
	if err != nil || len(state.Holders)+len(state.Waiters) > 0 {
		t.Errorf("left: %+v, %v", state, err)
	}
}

func TestAContextAlreadyDoneLosesEvenToAFreeResource(t *testing.T) {
	b, why := memory.New(), errors.New("the user left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	for name, call := range map[string]blocking{"Acquire": backends.Acquire, "TryAcquire": backends.TryAcquire} {
		g, err := call(ctx, b, db)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
			t.Errorf("%s = %+v, %v; want context.Canceled and its cause", name, g, err)
		}
		var none context.Context
		if _, err := call(none, b, db); !errors.Is(err, backends.ErrInvalid) {
			t.Errorf("%s with a nil context: %v; want ErrInvalid", name, err)
		}
	}
	free(t, b)
}

func TestAGrantThatComesWithTheEndOfTheContextIsReleased(t *testing.T) {
	store := memory.New()
	ctx, cancel := context.WithCancel(t.Context())
	b := &intercept.Backend{Backend: store}
	b.OnGranted = func(_ backends.Request, g backends.Grant, err error) (backends.Grant, error) {
		cancel()
		return g, err
	}
	if g, err := backends.Acquire(ctx, b, db); !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire = %+v, %v; want context.Canceled", g, err)
	}
	free(t, store)
}

// The store's answer to Cancel may be work of its own, which has a context that goes on.
func TestTheEndOfTheContextCancelsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ran := memory.New(), 0
		held, err := backends.Acquire(t.Context(), store, db)
		if err != nil {
			t.Fatal(err)
		}
		b := &intercept.Backend{Backend: store.Peer()}
		b.OnCancel = func(op *backends.Op, cancel intercept.Start) backends.Work {
			return func(ctx context.Context) {
				if ran++; ctx.Err() != nil {
					t.Error("the work of the cancel has a context that is done")
				}
				cancel(op)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := backends.Acquire(ctx, b, db)
			ended <- err
		}()
		synctest.Wait() // it waits
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || ran != 1 {
			t.Errorf("Acquire: %v after %d cancels; want context.Canceled after one", err, ran)
		}
		if err := backends.Release(t.Context(), store, held); err != nil {
			t.Error(err)
		}
		free(t, store)
	})
}

func TestReleaseWithoutAContextNeverEnds(t *testing.T) {
	b := memory.New()
	g, err := backends.TryAcquire(t.Context(), b, db)
	if err != nil {
		t.Fatal(err)
	}
	var none context.Context
	if err := backends.Release(none, b, g); err != nil {
		t.Error(err)
	}
	if err := backends.Release(none, b, g); !errors.Is(err, backends.ErrLost) {
		t.Errorf("a second release: %v; want ErrLost", err)
	}
	free(t, b)
}
