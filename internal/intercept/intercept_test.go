package intercept_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/backendtest"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

func TestAStoreWithoutHooksKeepsTheContract(t *testing.T) {
	backendtest.Run(t, func(testing.TB) backendtest.Env {
		store := memory.New()
		return backendtest.Env{Open: func(testing.TB) backends.Backend {
			return &intercept.Backend{Backend: store.Peer()}
		}}
	})
}

func TestAStoreWhoseHooksPassOnKeepsTheContract(t *testing.T) {
	backendtest.Run(t, func(testing.TB) backendtest.Env {
		store := memory.New()
		return backendtest.Env{Open: func(testing.TB) backends.Backend {
			return &intercept.Backend{
				Backend:  store.Peer(),
				OnStart:  func(op *backends.Op, start intercept.Start) backends.Work { return start(op) },
				OnCancel: func(op *backends.Op, cancel intercept.Start) backends.Work { return cancel(op) },
				OnRenew: func(ctx context.Context, rs []backends.Renewal, renew intercept.Renew) []backends.Renewed {
					return renew(ctx, rs)
				},
				OnInspect: func(ctx context.Context, name string, inspect intercept.Inspect) (backends.State, error) {
					return inspect(ctx, name)
				},
				OnList: func(ctx context.Context, list intercept.List) iter.Seq2[backends.State, error] { return list(ctx) },
				OnBreak: func(ctx context.Context, name string, breaks intercept.Break) error {
					return breaks(ctx, name)
				},
				OnClose:    func(ctx context.Context, closes intercept.Close) error { return closes(ctx) },
				OnGranted:  func(_ backends.Request, g backends.Grant, err error) (backends.Grant, error) { return g, err },
				OnReleased: func(_ backends.Grant, err error) error { return err },
			}
		}}
	})
}

var mutex = backends.Request{
	Resource: backends.Resource{Name: "db", Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1,
}

func TestHooksChangeWhatIsAskedAndAnswered(t *testing.T) {
	ctx, odd := t.Context(), errors.New("odd")
	var seen []string
	b := &intercept.Backend{
		Backend: memory.New(),
		OnStart: func(op *backends.Op, start intercept.Start) backends.Work {
			if len(op.Acquire) > 0 {
				r := op.Acquire[0]
				r.Name = "other"
				op.Acquire = []backends.Request{r}
			}
			return start(op)
		},
		OnGranted: func(r backends.Request, g backends.Grant, err error) (backends.Grant, error) {
			seen = append(seen, r.Name, g.Resource.Name)
			return g, err
		},
		OnReleased: func(g backends.Grant, err error) error { return errors.Join(odd, err) },
	}
	g, err := backends.TryAcquire(ctx, b, mutex)
	if err != nil || len(seen) != 2 || seen[0] != "db" || seen[1] != "other" {
		t.Errorf("TryAcquire = %+v, %v; the hook has seen %q", g, err, seen)
	}
	if err := backends.Release(ctx, b, g); !errors.Is(err, odd) || errors.Is(err, backends.ErrLost) {
		t.Errorf("Release: %v; want what the hook says", err)
	}
}

func TestCancelOfAnOpThatWasNeverStartedDoesNothing(t *testing.T) {
	b := &intercept.Backend{Backend: memory.New()}
	if work := b.Cancel(&backends.Op{}); work != nil {
		t.Error("there is work")
	}
}
