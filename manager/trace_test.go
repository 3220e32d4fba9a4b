package manager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// recorder writes down what it is told, and gives each acquire a context of its own.
type recorder struct {
	mu     sync.Mutex
	lines  []string
	sites  []Site // of the starts
	ends   []TraceLeaseEnd
	failed []TraceRenewalFailed
	panics string // where to panic
}

type spanKey struct{}

func (r *recorder) note(ctx context.Context, event, format string, args ...any) {
	r.mu.Lock()
	r.lines = append(r.lines, strings.TrimSpace(fmt.Sprintf("%v %s ", ctx.Value(spanKey{}), event)+fmt.Sprintf(format, args...)))
	panics := r.panics
	r.mu.Unlock()
	if panics == event {
		panic(event)
	}
}

// take returns the lines since the last call.
func (r *recorder) take() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

func (r *recorder) panicAt(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.panics = event
}

func (r *recorder) TraceAcquireStart(ctx context.Context, d TraceAcquireStart) context.Context {
	r.mu.Lock()
	r.sites = append(r.sites, d.Site())
	ctx = context.WithValue(ctx, spanKey{}, len(r.sites))
	r.mu.Unlock()
	r.note(ctx, "start", "%s", d.Name)
	return ctx
}

func (r *recorder) TraceAcquireEnd(ctx context.Context, d TraceAcquireEnd) {
	switch {
	case d.Err != nil && d.Lease == nil:
		r.note(ctx, "end", "failed")
	default:
		r.note(ctx, "end", "%v", d.Lease.Valid())
	}
}

func (r *recorder) TraceLeaseEnd(ctx context.Context, d TraceLeaseEnd) {
	r.mu.Lock()
	r.ends = append(r.ends, d)
	r.mu.Unlock()
	var lost *LostError
	if errors.As(d.Err, &lost) {
		r.note(ctx, "ended", "%s %s after %v", d.Name, lost.Reason, d.Held)
	} else {
		r.note(ctx, "ended", "%s after %v", d.Name, d.Held)
	}
}

func (r *recorder) TraceHandoff(ctx context.Context, d TraceHandoff) {
	r.note(ctx, "handoff", "%s after %v, %d wait", d.Name, d.Waited, d.Waiting)
}

func (r *recorder) TraceRenewalFailed(ctx context.Context, d TraceRenewalFailed) {
	r.mu.Lock()
	r.failed = append(r.failed, d)
	r.mu.Unlock()
	r.note(ctx, "unrenewed", "%s", d.Name)
}

func (r *recorder) TraceDeadlock(ctx context.Context, d TraceDeadlock) {
	r.note(ctx, "deadlock", "%v", d.Cycle)
}

// traced runs f with a manager whose tracer is r.
func traced(t *testing.T, f func(t *testing.T, m *Manager, r *recorder)) {
	t.Helper()
	r := &recorder{}
	bubble(t, func(t *testing.T, m *Manager) { f(t, m, r) }, WithTracer(r))
}

func (r *recorder) wants(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := r.take(); !slices.Equal(got, want) {
		t.Errorf("%s: told\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Each way to acquire is told of at its beginning and end, and its lease at its end.
func TestATracerIsToldOfEveryAcquire(t *testing.T) {
	traced(t, func(t *testing.T, m *Manager, r *recorder) {
		ctx, db := t.Context(), m.Lock("db")
		l := mustAcquire(t, db)
		r.wants(t, "Acquire", "1 start db", "1 end true")
		_, err := db.TryAcquire(ctx)
		wantErr(t, err, ErrBusy)
		r.wants(t, "a busy try", "2 start db", "2 end failed")
		again, err := db.Reentrant().Acquire(l.Context())
		wantErr(t, err, nil)
		r.wants(t, "re-entered", "3 start db", "3 end true")
		mustRelease(t, again)
		r.wants(t, "its release", "3 ended db after 0s")
		_, err = db.Acquire(l.Context())
		wantErr(t, err, ErrDeadlock)
		r.wants(t, "a deadlock", "4 start db", "4 deadlock [db]", "4 end failed")
		sleep(time.Second)
		mustRelease(t, l)
		r.wants(t, "Release", "1 ended db after 1s")
		_ = l.Release()
		r.wants(t, "a second Release")

		all := mustAcquire(t, m.All(m.Lock("a"), m.Lock("b")))
		sleep(time.Second)
		mustRelease(t, all)
		r.wants(t, "All", "5 start a+b", "5 end true", "5 ended a+b after 1s")
		wantErr(t, db.Do(ctx, func(context.Context) error { return nil }), nil)
		r.wants(t, "Do", "6 start db", "6 end true", "6 ended db after 0s")
		wantErr(t, m.Lead(ctx, "db", func(context.Context, uint64) error { return nil }), nil)
		r.wants(t, "Lead", "7 start db", "7 end true", "7 ended db after 0s")
		done, cancel := context.WithCancel(ctx)
		cancel()
		_, err = db.Acquire(done)
		wantErr(t, err, context.Canceled)
		r.wants(t, "a done context", "8 start db", "8 end failed")
		_, err = m.Lock("").Acquire(ctx)
		wantErr(t, err, ErrInvalidName)
		r.wants(t, "no name", "9 start", "9 end failed")
		mustAcquire(t, db, HoldAtMost(time.Second))
		sleep(time.Second)
		r.wants(t, "a loss", "10 start db", "10 end true", "10 ended db max-hold after 1s")
		sleep(time.Minute)
		wantErr(t, m.Close(ctx), nil)
		_, err = db.Acquire(ctx)
		wantErr(t, err, ErrClosed)
		r.wants(t, "after Close", "11 start db", "11 end failed")
		for i, at := range r.sites {
			if !strings.Contains(at.String(), "trace_test.go:") && i != 0 && i != 4 && i != 9 { // mustAcquire
				t.Errorf("site of %d: %s", i+1, at)
			}
		}
	})
}

// The context of the start is that of the lease and of Do's function, and may end the wait.
func TestTheContextOfTheTracerIsUsed(t *testing.T) {
	traced(t, func(t *testing.T, m *Manager, r *recorder) {
		l := mustAcquire(t, m.Lock("db"))
		if v := l.Context().Value(spanKey{}); v != 1 {
			t.Errorf("the lease's context has span %v", v)
		}
		mustRelease(t, l)
		err := m.Lock("db").Do(t.Context(), func(ctx context.Context) error {
			if v := ctx.Value(spanKey{}); v != 2 {
				t.Errorf("the context of Do has span %v", v)
			}
			return nil
		})
		wantErr(t, err, nil)
	})
	bubble(t, func(t *testing.T, m *Manager) {
		_, err := m.Lock("db").Acquire(t.Context())
		wantErr(t, err, context.Canceled)
	}, WithTracer(canceller{}))
}

// canceller ends each acquire before it begins.
type canceller struct{ blindTracer }

func (canceller) TraceAcquireStart(ctx context.Context, _ TraceAcquireStart) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

func TestATracerIsToldOfHandoffs(t *testing.T) {
	traced(t, func(t *testing.T, m *Manager, r *recorder) {
		l := mustAcquire(t, m.Lock("db"))
		v, w := start(m.Lock("db")), start(m.Lock("db"))
		r.take()
		sleep(time.Second)
		mustRelease(t, l)
		got := r.take()
		slices.Sort(got) // the waiter may tell of its end before the keeper tells of the hand-off
		if want := []string{"1 ended db after 1s", "2 end true", "2 handoff db after 1s, 1 wait"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		mustRelease(t, v.granted(t))
		mustRelease(t, w.granted(t))
		if !slices.Contains(r.take(), "3 handoff db after 1s, 0 wait") {
			t.Error("the second hand-off was not told")
		}
	})
}

func TestATracerIsToldOfFailedRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := newFake(), &recorder{}
		down := errors.New("no route to host")
		m := newManager(t, f, WithTracer(r))
		l := mustAcquire(t, m.Lock("db"))
		f.set(func(context.Context, string) error { return down }, nil)
		sleep(time.Minute)
		lines := r.take()
		if n := uint64(len(r.failed)); n < 2 || n != m.Stats().Totals.RenewalsFailed || r.failed[0].Token != l.Token() {
			t.Errorf("%d failed renewals: %+v", n, r.failed)
		}
		for _, f := range r.failed {
			wantErr(t, f.Err, down)
		}
		if !strings.HasPrefix(lines[len(lines)-1], "1 ended db expired after ") {
			t.Errorf("told %q", lines)
		}
		wantErr(t, r.ends[0].Err, down)
		f.set(nil, nil)
		_ = l.Release()
	})
}

// On the caller's goroutine a panic is the caller's, and leaves nothing held. Elsewhere it ends
// nothing but the call.
func TestATracerThatPanics(t *testing.T) {
	traced(t, func(t *testing.T, m *Manager, r *recorder) {
		panics := func(where string, call func()) {
			t.Helper()
			defer func() {
				if v := recover(); v != where {
					t.Errorf("%s: recovered %v", where, v)
				}
			}()
			call()
		}
		for _, where := range []string{"start", "end"} {
			r.panicAt(where)
			for _, c := range []Claim{m.Lock("db"), m.All(m.Lock("db"), m.Lock("a"))} {
				panics(where, func() { _, _ = c.Acquire(t.Context()) })
				panics(where, func() { _, _ = c.TryAcquire(t.Context()) })
				panics(where, func() {
					_ = c.Do(t.Context(), func(context.Context) error { t.Error("ran"); return nil })
				})
			}
			r.panicAt("")
			wantFree(t, m.Lock("db"))
			wantFree(t, m.Lock("a"))
		}
		r.panicAt("ended")
		mustRelease(t, mustAcquire(t, m.Lock("db")))
		mustAcquire(t, m.Lock("db"), HoldAtMost(time.Second))
		sleep(time.Minute)
		r.panicAt("handoff")
		l := mustAcquire(t, m.Lock("db"))
		w := start(m.Lock("db"))
		mustRelease(t, l)
		mustRelease(t, w.granted(t))
		wantBalanced(t, m, 0)
	})
}

func TestATracerMayImplementAnyPartOfTheInterfaces(t *testing.T) {
	m := newManager(t, memory.New(), WithTracer(blindTracer{}))
	mustRelease(t, mustAcquire(t, m.Lock("db")))
	wantErr(t, m.Lock("db").Do(t.Context(), func(ctx context.Context) error {
		_, err := m.Lock("db").Acquire(ctx)
		wantErr(t, err, ErrDeadlock)
		return nil
	}), nil)
	for _, none := range []Tracer{nil, (*recorder)(nil)} {
		_, err := New(memory.New(), WithTracer(none))
		wantErr(t, err, ErrInvalid)
	}
}
