package lkotel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

func took(s tracetest.SpanStub) time.Duration { return s.EndTime.Sub(s.StartTime) }

func TestSpansShowTheWaitAndTheHoldInTheTraceOfTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := observed(t, memory.New(), nil)
		first := acquireIt(t, t.Context(), m.Lock("db"))
		ctx, caller := o.tracer.Start(t.Context(), "caller")
		o.only = caller.SpanContext().TraceID()
		var wg sync.WaitGroup
		var token uint64
		before := len(o.spans.GetSpans())
		wg.Go(func() {
			l := acquireIt(t, ctx, m.Lock("db"))
			token = l.Token()
			_, work := o.tracer.Start(l.Context(), "work")
			work.End()
			time.Sleep(2 * time.Second)
			release(t, l)
		})
		time.Sleep(3 * time.Second)
		if n := len(o.spans.GetSpans()); n != before {
			t.Errorf("%d spans have ended before the wait", n-before)
		}
		release(t, first)
		wg.Wait()
		caller.End()
		synctest.Wait()

		wait, hold := o.one(t, "lockkeeper.wait", "db"), o.one(t, "lockkeeper.hold", "db")
		if took(wait) != 3*time.Second || took(hold) != 2*time.Second {
			t.Errorf("wait %v, hold %v", took(wait), took(hold))
		}
		for _, s := range o.spans.GetSpans() {
			if s.SpanContext.TraceID() == o.only && s.Name != "caller" && s.Parent.SpanID() != caller.SpanContext().SpanID() {
				t.Errorf("%s is no child of the caller", s.Name)
			}
		}
		if len(hold.Links) != 1 || hold.Links[0].SpanContext.SpanID() != wait.SpanContext.SpanID() {
			t.Errorf("links: %v", hold.Links)
		}
		for key, want := range map[string]string{
			"lockkeeper.kind": "mutex", "lockkeeper.weight": "1", "lockkeeper.capacity": "1", "lockkeeper.token": fmt.Sprint(token),
			"lockkeeper.handoff": "true", "lockkeeper.end": "released", "lockkeeper.try": "", "lockkeeper.result": "",
		} {
			if got := attr(hold.Attributes, attribute.Key(key)); got != want {
				t.Errorf("hold: %s is %q, want %q", key, got, want)
			}
		}
		if attr(wait.Attributes, "lockkeeper.result") != "acquired" || attr(wait.Attributes, "lockkeeper.try") != "false" {
			t.Errorf("wait: %v", wait.Attributes)
		}
		if f := attr(wait.Attributes, "code.file.path"); !strings.HasSuffix(f, "otel/helpers_test.go") ||
			attr(wait.Attributes, "code.line.number") == "" {
			t.Errorf("site: %v", wait.Attributes)
		}
		if wait.Status.Code != codes.Unset || hold.Status.Code != codes.Unset {
			t.Errorf("status: %v, %v", wait.Status, hold.Status)
		}
	})
}

// bySpan samples only spans of that name.
type bySpan string

func (s bySpan) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	if p.Name == string(s) {
		return sdk.SamplingResult{Decision: sdk.RecordAndSample}
	}
	return sdk.SamplingResult{Decision: sdk.Drop}
}

func (bySpan) Description() string { return "by span" }

// A span has the line that acquires also if the other one of the lease is not sampled. If neither
// is, nothing looks for the line.
func TestTheLineIsLookedUpForTheSpanThatIsSampled(t *testing.T) {
	for _, span := range []string{"lockkeeper.wait", "lockkeeper.hold", "none"} {
		spans := tracetest.NewInMemoryExporter()
		tracer, err := New(WithTracerProvider(sdk.NewTracerProvider(sdk.WithSyncer(spans), sdk.WithSampler(bySpan(span)))))
		if err != nil {
			t.Fatal(err)
		}
		m, err := manager.New(memory.New(), manager.WithTracer(tracer))
		if err != nil {
			t.Fatal(err)
		}
		l := acquireIt(t, t.Context(), m.Lock("db"))
		site := m.Stats().Resources[0].Holders[0].Site
		release(t, l)
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := spans.GetSpans()
		if span == "none" {
			if len(got) != 0 || site != "" {
				t.Errorf("%d spans, site %q", len(got), site)
			}
			continue
		}
		if len(got) != 1 || !strings.HasSuffix(attr(got[0].Attributes, "code.file.path"), "otel/helpers_test.go") {
			t.Errorf("%s: %v", span, got)
		}
	}
}

func TestWaitsThatFailSayHow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := observed(t, memory.New(), nil)
		held := acquireIt(t, t.Context(), m.Lock("db"))
		for result, status := range map[string]codes.Code{
			"busy": codes.Unset, "cancelled": codes.Unset, "timed_out": codes.Error, "failed": codes.Error,
		} {
			o.spans.Reset()
			ctx, cancel := context.WithCancel(t.Context())
			var err error
			switch result {
			case "busy":
				_, err = m.Lock("db").TryAcquire(ctx)
			case "cancelled":
				cancel()
				_, err = m.Lock("db").Acquire(ctx)
			case "timed_out":
				short, end := context.WithTimeout(ctx, time.Second)
				_, err = m.Lock("db").Acquire(short)
				end()
			case "failed":
				_, err = m.Lock("db").Acquire(held.Context())
			}
			cancel()
			wait := o.one(t, "lockkeeper.wait", "db")
			if err == nil || attr(wait.Attributes, "lockkeeper.result") != result || wait.Status.Code != status {
				t.Errorf("%s: %v, %v, %v", result, err, wait.Attributes, wait.Status)
			}
			if len(wait.Events) != 1 || attr(wait.Events[0].Attributes, "exception.message") != err.Error() {
				t.Errorf("%s: %v", result, wait.Events)
			}
			if n := len(o.spans.GetSpans()); n != 1 {
				t.Errorf("%s: %d spans", result, n)
			}
		}
		release(t, held)
		closed(t, m, o)
	})
}

// closed expects that an acquire fails when the manager is closed.
func closed(t *testing.T, m *manager.Manager, o *telemetry) {
	t.Helper()
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := m.Lock("late").Acquire(t.Context())
	s := o.one(t, "lockkeeper.wait", "late")
	if !errors.Is(err, manager.ErrClosed) || attr(s.Attributes, "lockkeeper.result") != "failed" {
		t.Errorf("%v, %v", err, s.Attributes)
	}
}

// An exporter of OTLP loses all spans of a batch if one has a text that is not UTF-8.
func TestErrorsOfAnyBytesAreExportedAsText(t *testing.T) {
	m, o := observed(t, memory.New(), nil)
	err := errors.New("a store's \xff\x00 words")
	ctx := o.under.TraceAcquireStart(t.Context(), manager.TraceAcquireStart{Name: "wait \xff", Kind: backends.Mutex})
	o.under.TraceAcquireEnd(ctx, manager.TraceAcquireEnd{Err: err})
	lease, failed := m.Lock("hold \xff").Acquire(t.Context())
	if failed != nil {
		t.Fatal(failed)
	}
	ctx = o.under.TraceAcquireStart(t.Context(), manager.TraceAcquireStart{Name: "hold \xff", Kind: backends.Mutex})
	o.under.TraceAcquireEnd(ctx, manager.TraceAcquireEnd{Lease: lease})
	o.under.TraceLeaseEnd(ctx, manager.TraceLeaseEnd{Err: &manager.LostError{Name: "hold", Reason: manager.Expired, Cause: err}})
	texts := 0
	for _, s := range o.spans.GetSpans() {
		all := append([]attribute.KeyValue{attribute.String("status", s.Status.Description), attribute.String("name", s.Name)}, s.Attributes...)
		for _, e := range s.Events {
			all = append(append(all, attribute.String("event", e.Name)), e.Attributes...)
		}
		for _, a := range all {
			if text := a.Value.Emit(); !utf8.ValidString(text) {
				t.Errorf("%s of %s is %q", a.Key, s.Name, text)
			} else if strings.Contains(text, "\uFFFD") && strings.Contains(text, "words") {
				texts++
			}
		}
	}
	if texts != 4 { // status and event of either span
		t.Errorf("the error stands in %d places", texts)
	}
}

func TestTheHoldOfAnAllIsOne(t *testing.T) {
	m, o := observed(t, memory.New(), nil)
	release(t, acquireIt(t, t.Context(), m.All(m.Lock("a"), m.RWLock("b").Read())))
	hold := o.one(t, "lockkeeper.hold", "a+b")
	if len(o.spans.GetSpans()) != 2 || attr(hold.Attributes, "lockkeeper.kind") != "all" ||
		attr(hold.Attributes, "lockkeeper.token") != "" || attr(hold.Attributes, "lockkeeper.end") != "released" {
		t.Errorf("%v", hold.Attributes)
	}
}

func TestNestedAcquiresHaveSpansOfTheirOwn(t *testing.T) {
	m, o := observed(t, memory.New(), nil)
	outer := acquireIt(t, t.Context(), m.Lock("outer"))
	inner := acquireIt(t, outer.Context(), m.Lock("inner"))
	again := acquireIt(t, inner.Context(), m.Lock("outer").Reentrant())
	release(t, outer, again)
	if n := len(o.named("lockkeeper.hold", "outer")); n != 2 {
		t.Errorf("%d holds of outer have ended", n)
	}
	if n := len(o.named("lockkeeper.hold", "inner")); n != 0 {
		t.Errorf("%d holds of inner have ended", n)
	}
	release(t, inner)
	o.one(t, "lockkeeper.hold", "inner")
}

func TestLimitedHoldsEndWithTheirReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := observed(t, memory.New(), nil)
		l, err := m.Lock("db").Acquire(t.Context(), manager.HoldAtMost(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		<-l.Context().Done()
		synctest.Wait()
		hold := o.one(t, "lockkeeper.hold", "db")
		if attr(hold.Attributes, "lockkeeper.end") != "max-hold" || hold.Status.Code != codes.Error || took(hold) != time.Second {
			t.Errorf("%v, %v, %v", hold.Attributes, hold.Status, took(hold))
		}
		if err := l.Release(); !errors.Is(err, manager.ErrLost) {
			t.Error(err)
		}
		o.one(t, "lockkeeper.hold", "db") // not a second one
	})
}

// On Redis: the server ends, renewals fail, the lease expires.
func TestFailedRenewalsAreEventsOfTheHold(t *testing.T) {
	s := redistest.Start(t)
	b, err := redis.New(s.Client(t), redis.WithPrefix(s.Prefix()))
	if err != nil {
		t.Fatal(err)
	}
	m, o := observed(t, b, nil, manager.WithTTL(time.Second))
	for end := time.Now().Add(2 * time.Minute); ; { // a machine that stands still may lose it before a renewal
		o.spans.Reset()
		l := acquireIt(t, t.Context(), m.Lock("db"))
		s.Kill()
		<-l.Context().Done()
		_ = l.Release()
		s.Restart(t)
		var hold tracetest.SpanStubs
		for len(hold) == 0 && time.Now().Before(end) { // the context ends before the tracer is told
			hold = o.named("lockkeeper.hold", "db")
			runtime.Gosched()
		}
		if len(hold) == 1 && attr(hold[0].Attributes, "lockkeeper.end") == "expired" && len(hold[0].Events) >= 2 &&
			hold[0].Events[0].Name == "renewal failed" && attr(hold[0].Events[0].Attributes, "lockkeeper.name") == "db" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%v", hold)
		}
	}
}

func TestMetricsMeasureWaitsAndHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := observed(t, memory.New(), []Option{WithNames(manager.OnlyNames("db"))})
		held := []*manager.Lease{acquireIt(t, t.Context(), m.Lock("db")), acquireIt(t, t.Context(), m.Lock("secret"))}
		var wg sync.WaitGroup
		wg.Go(func() { release(t, acquireIt(t, t.Context(), m.Lock("db"))) })
		time.Sleep(3 * time.Second)
		want := map[string]float64{
			"lockkeeper.lease.pending_requests {request} lockkeeper.kind=mutex,lockkeeper.name=db": 1,
			"lockkeeper.lease.pending_requests {request} lockkeeper.kind=mutex":                    0,
			"lockkeeper.lease.count {lease} lockkeeper.kind=mutex,lockkeeper.name=db":              1,
			"lockkeeper.lease.count {lease} lockkeeper.kind=mutex":                                 1,
		}
		got := o.figures(t)
		for key, v := range want {
			if g, ok := got[key]; !ok || g != v {
				t.Errorf("%s is %v (%v), want %v", key, g, ok, v)
			}
		}
		release(t, held...)
		wg.Wait()
		synctest.Wait()
		const db, none = "lockkeeper.kind=mutex,lockkeeper.name=db", "lockkeeper.kind=mutex"
		want = map[string]float64{
			"lockkeeper.lease.pending_requests {request} " + db: 0, "lockkeeper.lease.pending_requests {request} " + none: 0,
			"lockkeeper.lease.count {lease} " + db: 0, "lockkeeper.lease.count {lease} " + none: 0,
			"lockkeeper.lease.wait_time s " + db + ",lockkeeper.result=acquired":         3,
			"lockkeeper.lease.wait_time s " + db + ",lockkeeper.result=acquired count":   2,
			"lockkeeper.lease.wait_time s " + none + ",lockkeeper.result=acquired":       0,
			"lockkeeper.lease.wait_time s " + none + ",lockkeeper.result=acquired count": 1,
			"lockkeeper.lease.use_time s lockkeeper.end=released," + db:                  3,
			"lockkeeper.lease.use_time s lockkeeper.end=released," + db + " count":       2,
			"lockkeeper.lease.use_time s lockkeeper.end=released," + none:                3,
			"lockkeeper.lease.use_time s lockkeeper.end=released," + none + " count":     1,
		}
		if got := o.figures(t); !maps.Equal(got, want) {
			t.Errorf("got %v\nwant %v", got, want)
		}
	})
}

// Whichever of the end of the acquire and the end of its lease the tracer hears of first, it ends
// the hold once.
func TestALeaseThatEndsBeforeItsAcquireReturnsEndsItsHold(t *testing.T) {
	m, o := observed(t, memory.New(), nil)
	l := acquireIt(t, t.Context(), m.Lock("db"))
	o.spans.Reset()
	ctx := o.under.TraceAcquireStart(t.Context(), manager.TraceAcquireStart{Name: "x", Kind: 1, Weight: 1, Capacity: 1})
	lost := &manager.LostError{Name: "x", Token: 1, Reason: manager.Broken}
	o.under.TraceLeaseEnd(ctx, manager.TraceLeaseEnd{Name: "x", Token: 1, Err: lost})
	o.under.TraceAcquireEnd(ctx, manager.TraceAcquireEnd{Lease: l})
	if hold := o.one(t, "lockkeeper.hold", "x"); attr(hold.Attributes, "lockkeeper.end") != "broken" {
		t.Errorf("%v", hold.Attributes)
	}
	release(t, l)
}

// The tracer keeps no lease that the program drops: the manager releases it.
func TestDroppedLeasesEndTheirHold(t *testing.T) {
	m, o := observed(t, memory.New(), nil, manager.WithTTL(100*time.Millisecond))
	acquireIt(t, t.Context(), m.Lock("db"))
	for end := time.Now().Add(2 * time.Minute); len(o.named("lockkeeper.hold", "db")) == 0; {
		if time.Now().After(end) {
			t.Fatal("the hold does not end")
		}
		runtime.GC()
	}
	if hold := o.one(t, "lockkeeper.hold", "db"); attr(hold.Attributes, "lockkeeper.end") != "released" {
		t.Errorf("%v", hold.Attributes)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	var traces *sdk.TracerProvider
	var metrics *sdkmetric.MeterProvider
	for _, o := range []Option{
		{}, WithTracerProvider(nil), WithMeterProvider(nil), WithNames(nil),
		WithTracerProvider(traces), WithMeterProvider(metrics),
	} {
		if _, err := New(o); !errors.Is(err, manager.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := New(); err != nil {
		t.Error(err)
	}
}

func TestManyAtOnceLeaveNothingOpen(t *testing.T) {
	m, o := observed(t, memory.New(), nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				release(t, acquireIt(t, t.Context(), m.Lock("db")))
			}
		})
	}
	wg.Wait()
	if w, h := len(o.named("lockkeeper.wait", "db")), len(o.named("lockkeeper.hold", "db")); w != 400 || h != 400 {
		t.Errorf("%d waits, %d holds", w, h)
	}
	for key, v := range o.figures(t) {
		if strings.Contains(key, "{") && v != 0 {
			t.Errorf("%s is %v", key, v)
		}
	}
}
