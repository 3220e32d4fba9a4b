package manager

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestLeadReturnsWhatItsFunctionReturns(t *testing.T) {
	m := newManager(t, memory.New())
	want := errors.New("done")
	if err := m.Lead(context.Background(), "db", func(_ context.Context, term uint64) error {
		if term == 0 {
			t.Error("no token")
		}
		return want
	}); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
	wantFree(t, m.Lock("db"))
}

func TestOneLeadsAtATimeAndTheNextFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		terms := make(chan uint64)
		resign := make(chan struct{})
		ended := make(chan error)
		for range 3 {
			m := newManager(t, store.Peer())
			go func() {
				ended <- m.Lead(context.Background(), "db", func(_ context.Context, term uint64) error {
					terms <- term
					<-resign
					return nil
				})
			}()
		}
		last := uint64(0)
		for range 3 {
			term := <-terms
			if term <= last {
				t.Errorf("term %d after %d", term, last)
			}
			last = term
			synctest.Wait()
			select {
			case <-terms:
				t.Error("two lead")
			default:
			}
			resign <- struct{}{}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestDeposedLeaderLeadsAgainWhenTheStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		var terms []uint64
		err := m.Lead(context.Background(), "db", func(ctx context.Context, term uint64) error {
			terms = append(terms, term)
			if len(terms) > 1 {
				return nil
			}
			f.set(func(context.Context, string) error { return errors.New("down") }, nil)
			<-ctx.Done()
			wantLost(t, context.Cause(ctx), Expired)
			time.AfterFunc(time.Minute, func() { f.set(nil, nil) })
			return ctx.Err()
		})
		if err != nil || len(terms) != 2 || terms[1] <= terms[0] {
			t.Errorf("terms %v, %v", terms, err)
		}
	})
}

func TestLeadFailsAtOnceWithAStoreOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		f.set(func(context.Context, string) error { return errors.New("down") }, nil)
		wantErr(t, m.Lead(context.Background(), "db", func(context.Context, uint64) error {
			t.Error("it leads")
			return nil
		}), ErrUnavailable)
	})
}

func TestLeadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memory.New())
		ctx, cancel := context.WithCancel(context.Background())
		own := errors.New("own")
		wantErr(t, m.Lead(ctx, "db", func(ctx context.Context, _ uint64) error {
			cancel()
			<-ctx.Done()
			return own
		}), context.Canceled)
		wantErr(t, m.Lead(ctx, "db", func(context.Context, uint64) error { return nil }), context.Canceled)
		wantFree(t, m.Lock("db"))
	})
}

func TestLeadMisuse(t *testing.T) {
	m := newManager(t, memory.New())
	wantErr(t, m.Lead(context.Background(), "db", nil), ErrInvalid)
	wantErr(t, m.Lead(context.Background(), "", func(context.Context, uint64) error { return nil }), ErrInvalidName)
}
