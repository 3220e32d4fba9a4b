package manager

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestAcquiredLeaseExcludesOthersUntilItsRelease(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		if l.Name() != "db" || l.Token() == 0 || !l.Valid() || !l.ValidUntil().IsZero() {
			t.Errorf("got %q token %d valid %v until %v", l.Name(), l.Token(), l.Valid(), l.ValidUntil())
		}
		wantBusy(t, a.Lock("db"))
		wantBusy(t, b.Lock("db"))
		mustRelease(t, l)
		wantFree(t, a.Lock("db"))
		wantFree(t, b.Lock("db"))
	})
}

func TestTokensIncreaseOverHoldersAndManagers(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		var last uint64
		for i := range 100 {
			l := mustAcquire(t, []*Manager{a, b}[i%2].Lock("db"))
			if l.Token() <= last {
				t.Fatalf("token %d after %d", l.Token(), last)
			}
			last = l.Token()
			mustRelease(t, l)
		}
	})
}

func TestBadArgumentsAreRefusedAndChangeNothing(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		ctx := context.Background()
		var none context.Context
		for _, c := range []struct {
			what  string
			claim Claim
			ctx   context.Context
			want  error
		}{
			{"zero claim", Claim{}, ctx, ErrInvalid},
			{"nil context", m.Lock("a"), none, ErrInvalid},
			{"empty name", m.Lock(""), ctx, ErrInvalidName},
			{"long name", m.Lock(strings.Repeat("x", 1025)), ctx, ErrInvalidName},
			{"no permits", m.Semaphore("a", 3).Permits(0), ctx, ErrInvalid},
			{"negative permits", m.Semaphore("a", 3).Permits(-1), ctx, ErrInvalid},
			{"too many permits", m.Semaphore("a", 3).Permits(4), ctx, ErrTooLarge},
			{"zero capacity", m.Semaphore("a", 0).Permits(1), ctx, ErrInvalid},
			{"huge capacity", m.Semaphore("a", 1<<62).Permits(1), ctx, ErrInvalid},
			{"zero value in All", m.All(m.Lock("a"), Claim{}), ctx, ErrInvalid},
			{"bad name in All", m.All(m.Lock("a"), m.Lock("")), ctx, ErrInvalidName},
		} {
			l, err := c.claim.Acquire(c.ctx)
			if l != nil || !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, %v, want %v", c.what, l, err, c.want)
			}
		}
		_, err := m.Lock("a").Acquire(ctx, HoldAtMost(-1))
		wantErr(t, err, ErrInvalid)
		_, err = m.Lock("a").Acquire(ctx, AcquireOption{})
		wantErr(t, err, ErrInvalid)
		wantErr(t, m.Lock("a").Do(ctx, nil), ErrInvalid)
		if s := m.Stats(); len(s.Resources) != 0 || !reflect.DeepEqual(s.Totals, Counters{Failed: s.Totals.Failed}) {
			t.Errorf("something was left: %+v", s)
		}
	})
}
