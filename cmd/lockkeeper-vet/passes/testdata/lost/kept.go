package lost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/lockkeeper/lockkeeper/manager"
)

// Nothing in this file is reported.

func deferred(ctx context.Context, c manager.Claim) error {
	l, err := c.Acquire(ctx)
	if err != nil {
		return err
	}
	defer l.Release()
	return work(l.Context())
}

func detached(ctx context.Context, c manager.Claim) (manager.Ticket, error) {
	l, err := c.Acquire(ctx)
	if err != nil {
		return "", err
	}
	return l.Detach(ctx)
}

func adopted(ctx context.Context, m *manager.Manager, t manager.Ticket) error {
	l, err := m.Adopt(ctx, t)
	if err != nil {
		return err
	}
	defer l.Release()
	return work(l.Context())
}

func joined(ctx context.Context, c manager.Claim) error {
	l, err := c.Acquire(ctx)
	if err != nil {
		return err
	}
	err = errors.Join(work(l.Context()), l.Release())
	return err
}

func ignoredRelease(ctx context.Context, c manager.Claim) {
	for range 3 {
		if l, err := c.Acquire(ctx); err == nil {
			_ = l.Release()
		}
	}
}

func captured(ctx context.Context, c manager.Claim) (err error) {
	var l *manager.Lease
	defer func() {
		if l != nil {
			err = errors.Join(err, l.Release())
		}
	}()
	if l, err = c.Acquire(ctx); err != nil {
		return err
	}
	return work(l.Context())
}

type holder struct {
	lease *manager.Lease
	all   []*manager.Lease
	byKey map[string]*manager.Lease
}

func (h *holder) stored(ctx context.Context, c manager.Claim) (err error) {
	h.lease, err = c.Acquire(ctx)
	if err != nil {
		return err
	}
	l, err := c.Acquire(ctx)
	if err != nil {
		return err
	}
	h.all = append(h.all, l)
	m, err := c.Acquire(ctx)
	if err != nil {
		return err
	}
	h.byKey["m"] = m
	n, err := c.Acquire(ctx)
	if err != nil {
		return err
	}
	h.byKey[n.Name()] = n
	return nil
}

func handed(ctx context.Context, c manager.Claim, ch chan *manager.Lease, kind int) (*manager.Lease, error) {
	l, err := c.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("handed: %w", err)
	}
	switch kind {
	case 0:
		ch <- l
	case 1:
		return l, nil
	case 2:
		runtime.KeepAlive(l)
	case 3:
		context.AfterFunc(ctx, func() { _ = l.Release() })
	case 4:
		ch <- &*l
	case 5:
		for _, part := range l.Leases() {
			_ = part.Release()
		}
	case 6:
		release := l.Release
		defer release()
	case 7:
		return (&holder{lease: l}).lease, nil
	default:
		panic("kind")
	}
	return nil, nil
}

func direct(ctx context.Context, c manager.Claim) (*manager.Lease, error) { return c.Acquire(ctx) }

func unchecked(ctx context.Context, c manager.Claim) (*manager.Lease, error) {
	l, err := c.Acquire(ctx)
	return l, err
}

func naked2(ctx context.Context, c manager.Claim) (l *manager.Lease, err error) {
	l, err = c.Acquire(ctx)
	return
}

func errorPaths(ctx context.Context, c manager.Claim) error {
	l, err := c.TryAcquire(ctx)
	var lost *manager.LostError
	switch {
	case errors.Is(err, manager.ErrBusy), errors.Is(err, manager.ErrClosed):
		return nil
	case errors.As(err, &lost):
		return lost
	case err == context.Canceled || err == context.DeadlineExceeded:
		return nil
	case temporary(err):
		return nil
	}
	if err != nil && ctx.Err() == nil {
		return err
	}
	if ctx.Err() != nil && err != nil {
		return err
	}
	if l == nil {
		return errors.New("none")
	}
	return l.Release()
}

func temporary(error) bool { return false }

func switchOnError(ctx context.Context, c manager.Claim) error {
	l, err := c.Acquire(ctx)
	switch err {
	case nil:
	case manager.ErrBusy:
		return nil
	default:
		return err
	}
	defer l.Release()
	return work(ctx)
}

func typeSwitch(ctx context.Context, c manager.Claim) error {
	l, err := c.Acquire(ctx)
	switch e := err.(type) {
	case nil:
	case *manager.LostError:
		return e
	}
	return l.Release()
}

func decided(ctx context.Context, c manager.Claim) error {
	l, err := c.Acquire(ctx)
	ok := err == nil
	if !ok {
		return errors.New("no")
	}
	return l.Release()
}

func retried(ctx context.Context, c manager.Claim) (*manager.Lease, error) {
	for {
		l, err := c.TryAcquire(ctx)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, manager.ErrBusy) {
			return nil, err
		}
	}
}

func nilAgain(ctx context.Context, a, b manager.Claim) error {
	l, err := a.Acquire(ctx)
	if err != nil {
		l, err = b.Acquire(ctx)
	}
	if err != nil {
		return err
	}
	return l.Release()
}

func ended(ctx context.Context, c manager.Claim) error {
	l, err := c.Acquire(ctx)
	if err != nil {
		return err
	}
	if !l.Valid() {
		return nil
	}
	if err := l.Err(); err != nil {
		return l.Release()
	}
	if l.Err() != nil {
		return nil
	}
	<-l.Context().Done()
	return context.Cause(l.Context())
}

func ends(c manager.Claim) {
	l, err := c.Acquire(context.Background())
	if err != nil {
		die(err)
	}
	fmt.Println(l.Token())
	os.Exit(0)
}

func die(err error) {
	fmt.Println(err)
	os.Exit(1)
}

func closesTheManager(ctx context.Context, m *manager.Manager) error {
	defer func() { _ = m.Close(ctx) }()
	l, err := m.Lock("x").Acquire(ctx)
	if err != nil {
		return err
	}
	return work(l.Context())
}

func expectsFailure(t *testing.T, tb testing.TB, c manager.Claim) {
	if _, err := c.TryAcquire(t.Context()); !errors.Is(err, manager.ErrBusy) {
		t.Errorf("got %v", err)
	}
	if _, err := c.TryAcquire(t.Context()); err == nil {
		t.Error("held")
	}
	if l, err := c.TryAcquire(t.Context()); l != nil || err == nil {
		tb.Fatal("held")
	}
	_, err := c.TryAcquire(t.Context())
	if err == nil {
		t.Fatal("held")
	}
	_, err = c.TryAcquire(t.Context())
	fmt.Println(err)
}

var global *manager.Lease

func outer(ctx context.Context, c manager.Claim) (err error) {
	global, err = c.Acquire(ctx)
	if err != nil {
		return err
	}
	var l *manager.Lease
	func() {
		l, err = c.Acquire(ctx)
	}()
	if err != nil {
		return err
	}
	return l.Release()
}

func wrapper(ctx context.Context, h *holder, c manager.Claim) error {
	l, err := unchecked(ctx, c)
	if err != nil {
		return err
	}
	return work(l.Context())
}

func comparedWithNil(ctx context.Context, c manager.Claim, exclusive bool) (err error) {
	var l *manager.Lease
	if exclusive {
		if l, err = c.Acquire(ctx); err != nil {
			return err
		}
	}
	err = work(ctx)
	if l != nil {
		return l.Release()
	}
	return err
}
