package manager

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// codeLine returns the file and line that is some lines after its call.
func codeLine(after int) string {
	_, file, n, _ := runtime.Caller(1)
	return fmt.Sprint(file, ":", n+after)
}

// The site is the line that calls, whichever way it acquires: Stats shows it of who holds and waits.
func TestASiteIsTheLineThatAcquires(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		ctx, db := t.Context(), m.Lock("db")
		must := func(l *Lease, err error) *Lease {
			wantErr(t, err, nil)
			return l
		}
		holds := func(what, want string) {
			t.Helper()
			if got := row(m, "db").Holders[0].Site; got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}
		want := codeLine(1)
		l := must(db.Acquire(ctx))
		holds("Acquire", want)

		ended := make(chan string)
		go func() {
			w := must(db.Acquire(ctx))
			mustRelease(t, w)
			ended <- codeLine(-2)
		}()
		synctest.Wait()
		w := start(db)
		waiters := row(m, "db").Waiters
		mustRelease(t, l)
		mustRelease(t, w.granted(t))
		if want := <-ended; waiters[0].Site != want || len(waiters) != 2 {
			t.Errorf("waiters %+v, want one at %s", waiters, want)
		}

		want = codeLine(1)
		l = must(db.TryAcquire(ctx))
		holds("TryAcquire", want)
		mustRelease(t, l)
		want = codeLine(1)
		_ = db.Do(ctx, func(context.Context) error {
			holds("Do", want)
			return nil
		})
		want = codeLine(1)
		_ = m.Lead(ctx, "db", func(context.Context, uint64) error {
			holds("Lead", want)
			return nil
		})
		want = codeLine(1)
		l = must(m.All(m.Lock("a"), db).Acquire(ctx))
		holds("All", want)
		mustRelease(t, l)
		acquire := db.Acquire // a method value
		want = codeLine(1)
		l = must(acquire(ctx))
		holds("a method value", want)
		mustRelease(t, l)
	}, WithSites())
}

// A go statement is no line of the stack. Where Do or Lead runs a function, that is where to look.
func TestTheSiteOfAGoStatementIsTheFunctionThatRuns(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		release := make(chan struct{})
		holder := func(want string) {
			t.Helper()
			synctest.Wait()
			if got := row(m, "db").Holders[0].Site; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			release <- struct{}{}
			synctest.Wait()
		}
		db, ctx := m.Lock("db"), t.Context()
		do, leads, acquire := db.Do, m.Lead, db.Acquire
		want := codeLine(1)
		run := func(context.Context) error {
			<-release
			return nil
		}
		go do(ctx, run)
		holder(want)
		want = codeLine(1)
		lead := func(context.Context, uint64) error {
			<-release
			return nil
		}
		go leads(ctx, "db", lead)
		holder(want)
		l := mustAcquire(t, db)
		ended, cancel := context.WithCancel(ctx)
		go acquire(ended)
		synctest.Wait()
		if got := row(m, "db").Waiters[0].Site; got != "a go statement" {
			t.Errorf("the waiter is at %s", got)
		}
		cancel()
		synctest.Wait()
		mustRelease(t, l)
	}, WithSites())
}

// asker asks for the sites, at the start or at the end, from a stack as deep as it is told.
type asker struct {
	atEnd  bool
	frames int
	site   string
	start  TraceAcquireStart // of the last acquire
	ended  Site
}

//go:noinline
func deeper(frames int, ask func() Site) Site {
	if frames == 0 {
		return ask()
	}
	return deeper(frames-1, ask)
}

func (a *asker) TraceAcquireStart(ctx context.Context, d TraceAcquireStart) context.Context {
	if a.start = d; !a.atEnd {
		a.site = deeper(a.frames, d.Site).String()
	}
	return ctx
}

func (a *asker) TraceAcquireEnd(_ context.Context, d TraceAcquireEnd) {
	if a.atEnd {
		a.site = deeper(a.frames, d.Site).String()
	}
}

func (a *asker) TraceLeaseEnd(_ context.Context, d TraceLeaseEnd) { a.ended = d.Site }

// Whichever way it acquires, a tracer that asks gets the line that calls, and so do Stats and the end
// of the lease then.
func TestATracerThatAsksGetsTheSite(t *testing.T) {
	for name, a := range map[string]*asker{
		"at the start": {}, "at the end": {atEnd: true}, "from a deep stack": {frames: 200},
		"across a step of the look": {frames: 57},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, memory.New(), WithTracer(a))
			ctx, db := t.Context(), m.Lock("db")
			wants := func(what, want string) {
				t.Helper()
				if a.site != want || a.ended.String() != want {
					t.Errorf("%s: told %q, at the end of the lease %q, want %q", what, a.site, a.ended, want)
				}
			}
			releases := func(l *Lease, err error) {
				t.Helper()
				wantErr(t, err, nil)
				if h := row(m, "db").Holders[0]; h.Site != a.site {
					t.Errorf("Stats has site %q, want %q", h.Site, a.site)
				}
				mustRelease(t, l)
			}
			want := codeLine(1)
			l, err := db.Acquire(ctx)
			releases(l, err)
			wants("Acquire", want)
			want = codeLine(1)
			l, err = db.TryAcquire(ctx)
			releases(l, err)
			wants("TryAcquire", want)
			want = codeLine(1)
			_ = db.Do(ctx, func(context.Context) error { return nil })
			wants("Do", want)
			want = codeLine(1)
			_ = m.Lead(ctx, "db", func(context.Context, uint64) error { return nil })
			wants("Manager.Lead", want)
			want = codeLine(1)
			_ = m.Election("db").Lead(ctx, func(context.Context, uint64) error { return nil })
			wants("Election.Lead", want)
			want = codeLine(1)
			l, err = m.All(m.Lock("a"), db).Acquire(ctx)
			releases(l, err)
			wants("All", want)
			acquire := db.Acquire // a method value
			want = codeLine(1)
			l, err = acquire(ctx)
			releases(l, err)
			wants("a method value", want)
			l = mustAcquire(t, db)
			ticket, err := l.Detach(ctx)
			wantErr(t, err, nil)
			want = codeLine(1)
			l, err = m.Adopt(ctx, ticket)
			releases(l, err)
			wants("Adopt", want)
			if later := a.start.Site().String(); later != want {
				t.Errorf("later the site is %q, want %q", later, want)
			}
		})
	}
}

// A tracer that does not ask in time, or is not told of an acquire, gets no site: that of another
// acquire would be wrong.
func TestATracerThatDoesNotAskHasNoSite(t *testing.T) {
	quiet := &quietTracer{}
	m := newManager(t, memory.New(), WithTracer(quiet))
	l := mustAcquire(t, m.Lock("db"))
	if h := row(m, "db").Holders[0]; h.Site != "" {
		t.Errorf("recorded %s", h.Site)
	}
	mustRelease(t, mustAcquire(t, m.Lock("other")))
	if at := quiet.first.Site(); at != (Site{}) || quiet.within != (Site{}) {
		t.Errorf("sites %s, %s", at, quiet.within)
	}
	mustRelease(t, l)
	if at := (TraceAcquireStart{}).Site(); at != (Site{}) {
		t.Errorf("the zero TraceAcquireStart has site %s", at)
	}
}

// quietTracer asks for the site of the first acquire within the second.
type quietTracer struct {
	first  TraceAcquireStart
	within Site
}

func (q *quietTracer) TraceAcquireStart(ctx context.Context, d TraceAcquireStart) context.Context {
	if q.first.Name == "" {
		q.first = d
	} else {
		q.within = q.first.Site()
	}
	return ctx
}

func (*quietTracer) TraceAcquireEnd(context.Context, TraceAcquireEnd) {}

func TestWithoutAWatcherThereAreNoSites(t *testing.T) {
	m := newManager(t, memory.New())
	l := mustAcquire(t, m.Lock("db"))
	if h := row(m, "db").Holders[0]; h.Site != "" || m.observer != nil || l.seen != nil {
		t.Errorf("recorded %+v", h)
	}
	mustRelease(t, l)
}
