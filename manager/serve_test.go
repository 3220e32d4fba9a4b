package manager

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

func TestOneRequestStandsBeforeTheStoreHoweverManyWait(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, b.Lock("db"))
		var ws []*waiter
		for range 20 {
			ws = append(ws, start(a.Lock("db")))
		}
		st, err := b.Inspect(context.Background(), "db")
		if err != nil || len(st.Waiters) != 1 {
			t.Errorf("store: %+v, %v", st, err)
		}
		ws[0].cancel(nil) // the place in the store's queue goes to the next
		ws[0].waiting()
		after, _ := b.Inspect(context.Background(), "db")
		if len(after.Waiters) != 1 || after.Waiters[0].ID != st.Waiters[0].ID {
			t.Errorf("place lost: %+v, was %+v", after.Waiters, st.Waiters)
		}
		mustRelease(t, l)
		for _, w := range ws[1:] {
			mustRelease(t, w.granted(t))
		}
	})
}

// An error of the store reaches everybody who waited for it; the next acquire asks again.
func TestUnavailableStoreIsToldToAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		down := errors.New("connection refused")
		f.set(func(ctx context.Context, op string) error {
			_ = slow(time.Second)(ctx, op)
			return down
		}, nil)
		ws := []*waiter{start(m.Lock("db")), start(m.Lock("db")), start(m.Lock("db"))}
		sleep(2 * time.Second)
		for _, w := range ws {
			if w.waiting() || !errors.Is(w.err, ErrUnavailable) || !errors.Is(w.err, down) || errors.Is(w.err, ErrBusy) {
				t.Errorf("got %v", w.err)
			}
		}
		_, err := m.Lock("db").TryAcquire(context.Background())
		wantErr(t, err, ErrUnavailable)
		f.set(nil, nil)
		mustRelease(t, mustAcquire(t, m.Lock("db")))
	})
}

// A store that does not answer keeps nobody beyond his context, and other names not at all.
func TestHangingStoreHoldsNobodyBeyondHisContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set(only("acquire", hang), nil)
		m := newManager(t, f)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begin, hung := time.Now(), make(chan error, 1)
		go func() {
			_, err := m.Lock("db").Acquire(ctx)
			hung <- err
		}()
		synctest.Wait()
		f.set(nil, nil) // for the others
		l, err := m.Lock("other").TryAcquire(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		wantErr(t, <-hung, context.DeadlineExceeded)
		if d := time.Since(begin); d != time.Second {
			t.Errorf("waited %v", d)
		}
		mustRelease(t, l)
	})
}

// A request whose context ended while its caller ran the work is not put before the store again.
func TestRequestWhoseContextHasEndedIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set(only("acquire", hang), nil)
		m := newManager(t, f)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := m.Lock("db").Acquire(ctx)
		wantErr(t, err, context.DeadlineExceeded)
		synctest.Wait()
		if n := f.count("acquire"); n != 1 {
			t.Errorf("the store saw %d requests", n)
		}
		if c := m.Stats().Totals; c.TimedOut != 1 || c.Failed != 0 {
			t.Errorf("counted %+v", c)
		}
	})
}

// A grant that takes the store so long that little is left of it is not used.
func TestGrantThatComesTooLateIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		f.set(nil, only("acquire", slow(DefaultTTL*9/10)))
		_, err := m.Lock("db").Acquire(context.Background())
		wantErr(t, err, ErrUnavailable)
		f.set(nil, nil)
		synctest.Wait()
		if n := f.held("db"); n != 0 {
			t.Errorf("the store still keeps %d grants", n)
		}
	})
}

func TestErrorOutsideTheContractIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, odd{f})
		_, err := m.Lock("db").Acquire(context.Background())
		wantErr(t, err, ErrUnavailable)
		wantErr(t, err, context.Canceled) // whatever it was
	})
}

type odd struct{ *fake }

func (odd) Start(op *backends.Op) backends.Work {
	return func(context.Context) { op.Granted(0, backends.Grant{}, context.Canceled) }
}

// late is a store whose grants take their time to arrive, and which cannot be cancelled.
func late(b backends.Backend, granted, deliver chan struct{}) backends.Backend {
	return &intercept.Backend{
		Backend: b,
		OnStart: func(op *backends.Op, start func(*backends.Op) backends.Work) backends.Work {
			if len(op.Acquire) == 0 {
				return start(op)
			}
			inner, tell := *op, op.Granted
			inner.Granted = func(i int, g backends.Grant, err error) {
				go func() {
					granted <- struct{}{}
					<-deliver
					tell(i, g, err)
				}()
			}
			return start(&inner)
		},
		OnCancel: func(*backends.Op, func(*backends.Op) backends.Work) backends.Work { return nil },
	}
}

// A reader's grant is on its way when the reader gives up. Another process reads and is done; then a second reader comes here. It
// must not get the old grant: its token would be smaller than one that it could already have seen.
func TestSharedGrantIsNotForThoseWhoComeLater(t *testing.T) {
	store := memory.New()
	granted, deliver := make(chan struct{}), make(chan struct{})
	here, there := newManager(t, late(store, granted, deliver)), newManager(t, store.Peer())
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan error)
	go func() {
		_, err := here.RWLock("n").Read().Acquire(ctx)
		first <- err
	}()
	<-granted
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Fatalf("Acquire: %v, want canceled", err)
	}
	other, err := there.RWLock("n").Read().Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	mustRelease(t, other)

	second := make(chan *Lease)
	go func() {
		l, err := here.RWLock("n").Read().Acquire(context.Background())
		if err != nil {
			t.Error(err)
		}
		second <- l
	}()
	for here.Stats().Waiting == 0 {
		runtime.Gosched()
	}
	deliver <- struct{}{}
	go func() { <-granted; deliver <- struct{}{} }()
	l := <-second
	if l.Token() <= other.Token() {
		t.Errorf("token %d after %d", l.Token(), other.Token())
	}
	mustRelease(t, l)
}
