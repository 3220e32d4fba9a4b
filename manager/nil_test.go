package manager

import (
	"context"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/backends/redis"
)

// Every nil, zero or absurd argument is refused with an *InvalidError. No call panics or hangs.
func TestNilZeroAndAbsurdArgumentsAreRefused(t *testing.T) {
	m, other := newManager(t, memory.New()), newManager(t, memory.New())
	ctx := context.Background()
	var none context.Context
	var noManager *Manager
	zero := &Manager{}
	nothing := func(context.Context) error { return nil }
	term := func(context.Context, uint64) error { return nil }
	made := func(b backends.Backend, opts ...Option) error { _, err := New(b, opts...); return err }
	got := func(_ *Lease, err error) error { return err }
	inspected := func(_ backends.State, err error) error { return err }
	first := func(m *Manager, ctx context.Context) error {
		for _, err := range m.List(ctx) {
			return err
		}
		return nil
	}
	with := func(opts ...AcquireOption) error { return got(m.Lock("a").Acquire(ctx, opts...)) }
	for what, err := range map[string]error{
		"New: nil":                     made(nil),
		"New: nil *memory.Backend":     made((*memory.Backend)(nil)),
		"New: nil *file.Backend":       made((*file.Backend)(nil)),
		"New: nil *redis.Backend":      made((*redis.Backend)(nil)),
		"New: zero option":             made(memory.New(), Option{}),
		"New: nil logger":              made(memory.New(), WithLogger(nil)),
		"New: TTL -1":                  made(memory.New(), WithTTL(-1)),
		"New: TTL 0":                   made(memory.New(), WithTTL(0)),
		"New: TTL for ever":            made(memory.New(), WithTTL(math.MaxInt64)),
		"New: stop margin -1":          made(memory.New(), WithStopMargin(-1)),
		"New: stop margin for ever":    made(memory.New(), WithStopMargin(math.MaxInt64)),
		"New: minimum hold -1":         made(memory.New(), WithMinHold(-1)),
		"New: minimum hold for ever":   made(memory.New(), WithMinHold(math.MaxInt64)),
		"New: maximum hold -1":         made(memory.New(), WithMaxHold(-1)),
		"New: maximum hold for ever":   made(memory.New(), WithMaxHold(math.MaxInt64)),
		"New: release timeout -1":      made(memory.New(), WithReleaseTimeout(-1)),
		"New: release timeout 0":       made(memory.New(), WithReleaseTimeout(0)),
		"New: release timeout too big": made(memory.New(), WithReleaseTimeout(math.MaxInt64)),
		"New: -1 hand-offs":            made(memory.New(), WithLocalHandoffs(-1, time.Second)),
		"New: hand-offs for -1":        made(memory.New(), WithLocalHandoffs(1, -1)),
		"New: hand-offs for ever":      made(memory.New(), WithLocalHandoffs(1, math.MaxInt64)),

		"Acquire: nil context":          got(m.Lock("a").Acquire(none)),
		"TryAcquire: nil context":       got(m.Lock("a").TryAcquire(none)),
		"Acquire: zero option":          with(AcquireOption{}),
		"Acquire: hold at most -1":      with(HoldAtMost(-1)),
		"Acquire: hold at most 0":       with(HoldAtMost(0)),
		"Acquire: hold at most for eve": with(HoldAtMost(math.MaxInt64)),
		"Do: nil context":               m.Lock("a").Do(none, nothing),
		"Do: nil function":              m.Lock("a").Do(ctx, nil),
		"Do: zero claim":                Claim{}.Do(ctx, nothing),
		"Do: zero claim, nil function":  Claim{}.Do(ctx, nil),
		"Lead: nil context":             m.Lead(none, "a", term),
		"Lead: nil function":            m.Lead(ctx, "a", nil),
		"Lead: nil manager":             noManager.Lead(ctx, "a", term),
		"Lead: zero manager":            zero.Lead(ctx, "a", term),

		"zero Claim":                    got(Claim{}.Acquire(ctx)),
		"zero Claim, nil context":       got(Claim{}.Acquire(none)),
		"zero Claim, tried":             got(Claim{}.TryAcquire(ctx)),
		"zero Claim, re-entrant":        got(Claim{}.Reentrant().Acquire(ctx)),
		"zero RWLock, read":             got(RWLock{}.Read().Acquire(ctx)),
		"zero RWLock, write":            got(RWLock{}.Write().Acquire(ctx)),
		"zero Semaphore":                got(Semaphore{}.Permits(1).Acquire(ctx)),
		"nil manager's lock":            got(noManager.Lock("a").Acquire(ctx)),
		"nil manager's All":             got(noManager.All().Acquire(ctx)),
		"zero manager's lock":           got(zero.Lock("a").Acquire(ctx)),
		"zero manager's readers":        got(zero.RWLock("a").Read().Acquire(ctx)),
		"zero manager's semaphore":      got(zero.Semaphore("a", 1).Permits(1).Acquire(ctx)),
		"zero manager's All":            got(zero.All(zero.Lock("a")).Acquire(ctx)),
		"All: zero claim":               got(m.All(Claim{}).Acquire(ctx)),
		"All: another manager's":        got(m.All(m.Lock("a"), other.Lock("b")).Acquire(ctx)),
		"All: another manager's All":    got(m.All(other.All(other.Lock("b"))).Acquire(ctx)),
		"All: another's empty All":      got(m.All(other.All()).Acquire(ctx)),
		"All: nil context":              got(m.All().Acquire(none)),
		"Semaphore of capacity 0":       got(m.Semaphore("s", 0).Permits(1).Acquire(ctx)),
		"Semaphore of capacity -1":      got(m.Semaphore("s", -1).Permits(1).Acquire(ctx)),
		"Semaphore of endless capacity": got(m.Semaphore("s", math.MaxInt64).Permits(1).Acquire(ctx)),
		"no permits":                    got(m.Semaphore("s", 2).Permits(0).Acquire(ctx)),
		"fewer than no permits":         got(m.Semaphore("s", 2).Permits(math.MinInt64).Acquire(ctx)),

		"Inspect: nil context":  inspected(m.Inspect(none, "a")),
		"Inspect: no name":      inspected(m.Inspect(ctx, "")),
		"Inspect: nil manager":  inspected(noManager.Inspect(ctx, "a")),
		"Inspect: zero manager": inspected(zero.Inspect(ctx, "a")),
		"List: nil context":     first(m, none),
		"List: nil manager":     first(noManager, ctx),
		"List: zero manager":    first(zero, ctx),
		"Break: nil context":    m.Break(none, "a"),
		"Break: no name":        m.Break(ctx, ""),
		"Break: nil manager":    noManager.Break(ctx, "a"),
		"Break: zero manager":   zero.Break(ctx, "a"),
		"Close: nil context":    m.Close(none),
		"Close: nil manager":    noManager.Close(ctx),
		"Close: zero manager":   zero.Close(ctx),
	} {
		var invalid *InvalidError
		if !errors.As(err, &invalid) || !errors.Is(err, ErrInvalid) || invalid.Field == "" || invalid.Want == "" {
			t.Errorf("%s: got %v, want an *InvalidError", what, err)
		}
	}
	if s := m.Stats(); s.Holding+s.Waiting != 0 || len(s.Resources) != 0 {
		t.Errorf("something was left: %+v", s)
	}
	wantErr(t, got(m.Semaphore("s", 2).Permits(math.MaxInt64).Acquire(ctx)), ErrTooLarge)
}

// Methods without an error to return give a harmless answer.
func TestNilAndZeroReceiversAnswerAsNothing(t *testing.T) {
	var none context.Context
	if l := LeaseFrom(none); l != nil {
		t.Errorf("a lease of no context: %v", l)
	}
	m := newManager(t, memory.New())
	all := mustAcquire(t, m.All())
	if all.Name() != "" || len(all.Leases()) != 0 || !all.Valid() || all.Context().Err() != nil {
		t.Errorf("an All of nothing: %q, %v", all.Name(), all.Err())
	}
	mustRelease(t, all)
	wantErr(t, all.Err(), ErrReleased)

	for what, l := range map[string]*Lease{"nil": nil, "zero": {}} {
		wantErr(t, l.Err(), ErrReleased)
		wantErr(t, l.Release(), ErrReleased)
		wantErr(t, l.Release(), ErrReleased)
		ctx := l.Context()
		wantErr(t, context.Cause(ctx), ErrReleased)
		if ctx.Err() == nil || LeaseFrom(ctx) != l {
			t.Errorf("%s: context %v", what, ctx)
		}
		if l.Valid() || l.Token() != 0 || l.Name() != "" || !l.ValidUntil().IsZero() || len(l.Leases()) != 0 {
			t.Errorf("%s: is something", what)
		}
		if got, err := m.Lock("a").Acquire(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: acquired %v with its context: %v", what, got, err)
		}
	}

	for what, m := range map[string]*Manager{"nil": nil, "zero": {}} {
		if s := m.Stats(); s.Holding+s.Waiting != 0 || !reflect.DeepEqual(s.Totals, Counters{}) || s.Resources == nil {
			t.Errorf("%s manager: %+v", what, s)
		}
	}
	for _, q := range []float64{-1, 2, math.NaN(), math.Inf(1), math.Inf(-1)} {
		h := Histogram{Buckets: [Buckets]uint64{3: 5}}
		if d := h.Quantile(q); d != 8*time.Microsecond || (Histogram{}).Quantile(q) != 0 {
			t.Errorf("quantile %v: %v", q, d)
		}
	}
}
