package lost

import (
	"context"
	"errors"
	"log"
	"os"
	"testing"

	"github.com/lockkeeper/lockkeeper/manager"
)

func work(ctx context.Context) error { return ctx.Err() }

func never(ctx context.Context, c manager.Claim) error {
	l, err := c.Acquire(ctx) // want `^l may be held at the return on line 20: call l.Release\(\), best deferred after the check of the error$`
	if err != nil {
		return err
	}
	return work(l.Context())
}

func onError(ctx context.Context, c manager.Claim) error {
	l, err := c.Acquire(ctx) // want `l may be held at the return on line 29`
	if err != nil {
		return err
	}
	if err := work(l.Context()); err != nil {
		return err
	}
	return l.Release()
}

func errReused(ctx context.Context, c manager.Claim) error {
	l, err := c.TryAcquire(ctx) // want `l may be held at the return on line 41`
	if err != nil {
		return err
	}
	err = work(l.Context())
	if err != nil {
		return err
	}
	return l.Release()
}

func implicitReturn(ctx context.Context, c manager.Claim) {
	if l, err := c.Acquire(ctx); err == nil { // want `l may be held at the return on line 50`
		_ = work(l.Context())
	}
}

func readOnly(ctx context.Context, c manager.Claim) uint64 {
	l, err := c.Acquire(ctx) // want `l may be held at the return on line 58`
	if err != nil || !l.Valid() || l.Err() != nil {
		return 0
	}
	_ = l
	return l.Token() + uint64(len(l.Name())+l.ValidUntil().Day())
}

func loop(ctx context.Context, c manager.Claim) error {
	for {
		l, err := c.Acquire(ctx) // want `l may be held when line 63 assigns it again: call l.Release\(\) before`
		if err != nil {
			return err
		}
		_ = work(l.Context())
	}
}

func overwritten(ctx context.Context, a, b manager.Claim) error {
	l, err := a.Acquire(ctx) // want `l may be held when line 76 assigns it again`
	if err != nil {
		return err
	}
	l, err = b.Acquire(ctx)
	if err != nil {
		return err
	}
	return l.Release()
}

func oneCase(ctx context.Context, c manager.Claim, n int) error {
	l, err := c.Acquire(ctx) // want `l may be held at the return on line 91`
	switch {
	case errors.Is(err, manager.ErrBusy):
		return nil
	case err != nil:
		return err
	case n > 0:
		return nil
	}
	return l.Release()
}

func tagged(ctx context.Context, c manager.Claim) error {
	l, err := c.Acquire(ctx) // want `l may be held at the return on line 100`
	switch err {
	case nil:
		return work(l.Context())
	default:
		return err
	}
}

func literal(c manager.Claim) func(context.Context) error {
	return func(ctx context.Context) error {
		l, err := c.Acquire(ctx) // want `l may be held at the return on line 112`
		if err != nil {
			return err
		}
		return work(l.Context())
	}
}

func methodValue(ctx context.Context, c manager.Claim, wait bool) error {
	acquire := c.Acquire
	if !wait {
		acquire = c.TryAcquire
	}
	l, err := acquire(ctx) // want `l may be held at the return on line 125`
	if err != nil {
		return err
	}
	return work(l.Context())
}

func selects(ctx context.Context, c manager.Claim, stop chan bool) error {
	l, err := c.Acquire(ctx) // want `l may be held at the return on line 137`
	if err != nil {
		return err
	}
	select {
	case <-l.Context().Done():
		return nil
	case <-stop:
		return nil
	}
}

func blank(ctx context.Context, c manager.Claim) error {
	_, err := c.Acquire(ctx) // want `^the lease of c.Acquire is dropped and stays held: keep it and call its Release$`
	if err != nil {
		return err
	}
	return work(ctx)
}

func blankInIf(ctx context.Context, c manager.Claim) error {
	if _, err := c.Acquire(ctx); err == nil { // want `the lease of c.Acquire is dropped`
		return work(ctx)
	}
	return nil
}

func naked(ctx context.Context, c manager.Claim) (l *manager.Lease, err error) {
	l, err = c.Acquire(ctx) // want `l may be held at the return on line 162`
	if err != nil {
		return
	}
	if err := work(l.Context()); err != nil {
		return nil, err
	}
	return
}

func capturedOnOnePath(ctx context.Context, c manager.Claim, background bool) {
	l, err := c.Acquire(ctx) // want `l may be held at the return on line 176`
	if err != nil {
		return
	}
	if background {
		go func() { _ = l.Release() }()
		return
	}
}

func ofATest(t *testing.T, c manager.Claim) {
	l, err := c.Acquire(t.Context()) // want `l may be held at the return on line 186`
	if err != nil {
		t.Fatal(err)
	}
	if l.Token() == 0 {
		t.Error("no token")
	}
}

func main(c manager.Claim) {
	l, err := c.Acquire(context.Background()) // want `l may be held at the return on line 196`
	if err != nil {
		log.Fatal(err)
	}
	if l.Token() == 0 {
		os.Exit(1)
	}
}

func sameCondition(ctx context.Context, c manager.Claim, exclusive bool) (err error) {
	var l *manager.Lease
	if exclusive {
		if l, err = c.Acquire(ctx); err != nil { // want `l may be held at the return on line 209`
			return err
		}
	}
	err = work(ctx)
	if exclusive {
		return l.Release()
	}
	return err
}

func adoptedAndKept(ctx context.Context, m *manager.Manager, t manager.Ticket) error {
	l, err := m.Adopt(ctx, t) // want `l may be held at the return on line 217`
	if err != nil {
		return err
	}
	return work(l.Context())
}
