package lkprometheus

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
)

func TestMetricsKeepTheirNamesTypesAndLabels(t *testing.T) {
	m := newManager(t, memory.New(), manager.WithLabel("jobs"), manager.WithHistory(manager.OnlyNames("a")))
	release(t, acquire(t, m.Lock("a")))
	web := httptest.NewServer(promhttp.HandlerFor(register(t, m), promhttp.HandlerOpts{}))
	defer web.Close()
	resp, err := web.Client().Get(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	got, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	gauge, counter, histogram := dto.MetricType_GAUGE, dto.MetricType_COUNTER, dto.MetricType_HISTOGRAM
	want := map[string]dto.MetricType{
		"lockkeeper_waiting": gauge, "lockkeeper_held": gauge,
		"lockkeeper_wait_duration_seconds": histogram, "lockkeeper_hold_duration_seconds": histogram,
		"lockkeeper_acquisitions_total": counter, "lockkeeper_contentions_total": counter,
		"lockkeeper_leases_lost_total": counter, "lockkeeper_renewals_total": counter,
		"lockkeeper_oldest_waiter_seconds": gauge, "lockkeeper_longest_hold_seconds": gauge,
		"lockkeeper_leader": gauge, // lockkeeper_lease_remaining_seconds: memory has no end
	}
	more := map[string]string{
		"lockkeeper_acquisitions_total": "result", "lockkeeper_leases_lost_total": "reason",
		"lockkeeper_renewals_total": "result",
	}
	for name, f := range got {
		if kind, ok := want[name]; !ok || f.GetType() != kind {
			t.Errorf("%s is a %v", name, f.GetType())
		}
		labels := []string{"manager", "name", "store"}
		if more[name] != "" {
			labels = slices.Sorted(slices.Values(append(labels, more[name])))
		}
		for _, row := range f.GetMetric() {
			values := make(map[string]string)
			for _, l := range row.GetLabel() {
				values[l.GetName()] = l.GetValue()
			}
			if keys := slices.Sorted(maps.Keys(values)); !slices.Equal(keys, labels) ||
				values["store"] != "memory" || values["manager"] != "jobs" {
				t.Errorf("%s has the labels %v", name, values)
			}
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d metrics, want %d", len(got), len(want))
	}
}

func TestLinterOfPrometheusFindsNothing(t *testing.T) {
	m := newManager(t, memory.New())
	problems, err := testutil.GatherAndLint(register(t, m))
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// Of what waits, holds and ends within seconds of a bubble's clock, every figure is exact.
func TestFiguresAreThoseOfTheLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memory.New(), manager.WithHistory(manager.OnlyNames("db")))
		r := register(t, m)
		first := acquire(t, m.Lock("db"))
		other := acquire(t, m.Lock("other"))
		var wg sync.WaitGroup
		wg.Go(func() { release(t, acquire(t, m.Lock("db"))) })
		short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		wg.Go(func() { _, _ = m.Lock("db").Acquire(short) })
		early, stop := context.WithCancel(t.Context())
		wg.Go(func() { _, _ = m.Lock("db").Acquire(early) })
		synctest.Wait()
		if _, err := m.Lock("db").TryAcquire(t.Context()); !errors.Is(err, manager.ErrBusy) {
			t.Errorf("try: %v", err)
		}
		if _, err := m.Lock("db").Acquire(first.Context()); !errors.Is(err, manager.ErrDeadlock) {
			t.Errorf("nested: %v", err)
		}
		time.Sleep(time.Second)
		gather(t, r).want(t, map[string]float64{
			"lockkeeper_waiting{name=db}": 3, "lockkeeper_held{name=db}": 1,
			"lockkeeper_waiting": 0, "lockkeeper_held": 1,
			"lockkeeper_oldest_waiter_seconds{name=db}": 1, "lockkeeper_longest_hold_seconds{name=db}": 1,
			"lockkeeper_oldest_waiter_seconds": 0, "lockkeeper_longest_hold_seconds": 1,
		})
		stop()
		time.Sleep(2 * time.Second) // the deadline passes
		release(t, first, other)
		wg.Wait()
		s := gather(t, r)
		s.want(t, map[string]float64{
			"lockkeeper_acquisitions_total{name=db,result=acquired}":  2,
			"lockkeeper_acquisitions_total{name=db,result=timed_out}": 1,
			"lockkeeper_acquisitions_total{name=db,result=cancelled}": 1,
			"lockkeeper_acquisitions_total{name=db,result=busy}":      1,
			"lockkeeper_acquisitions_total{name=db,result=failed}":    1,
			"lockkeeper_acquisitions_total{result=acquired}":          1,
			"lockkeeper_acquisitions_total{result=busy}":              0,
			"lockkeeper_contentions_total{name=db}":                   3,
			"lockkeeper_contentions_total":                            0,
			"lockkeeper_wait_duration_seconds{name=db}":               0 + 3 + 2 + 1,
			"lockkeeper_hold_duration_seconds{name=db}":               3,
			"lockkeeper_wait_duration_seconds":                        0,
			"lockkeeper_hold_duration_seconds":                        3,
			"lockkeeper_waiting{name=db}":                             0,
			"lockkeeper_held":                                         0,
			"lockkeeper_oldest_waiter_seconds{name=db}":               0,
			"lockkeeper_longest_hold_seconds":                         0,
		})
		checkWaits(t, s["lockkeeper_wait_duration_seconds{name=db}"].GetHistogram())
	})
}

// checkWaits expects waits of 0, 1, 2 and 3 s.
func checkWaits(t *testing.T, h *dto.Histogram) {
	t.Helper()
	if len(h.GetBucket()) != manager.Buckets-1 || h.GetSampleCount() != 4 {
		t.Errorf("%d buckets, %d samples", len(h.GetBucket()), h.GetSampleCount())
	}
	for _, b := range h.GetBucket() {
		want := uint64(4)
		switch le := b.GetUpperBound(); {
		case le < 1:
			want = 1
		case le < 2:
			want = 2 // below 1.048576 s
		case le < 3:
			want = 3
		}
		if b.GetCumulativeCount() != want {
			t.Errorf("le %v: %d, want %d", b.GetUpperBound(), b.GetCumulativeCount(), want)
		}
		if b.GetExemplar() != nil {
			t.Error("there is an exemplar")
		}
	}
}

func TestLeaderIsShownWhileItLeads(t *testing.T) {
	m := newManager(t, memory.New(), manager.WithHistory(manager.OnlyNames("cron", "db")))
	r := register(t, m)
	err := m.Lead(t.Context(), "cron", func(context.Context, uint64) error {
		release(t, acquire(t, m.Lock("db")))
		gather(t, r).want(t, map[string]float64{"lockkeeper_leader{name=cron}": 1, "lockkeeper_leader{name=db}": 0})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	gather(t, r).want(t, map[string]float64{"lockkeeper_leader{name=cron}": 0})
}

func TestClosedManagersKeepTheirCounters(t *testing.T) {
	m := newManager(t, memory.New(), manager.WithHistory(manager.OnlyNames("a")))
	r := register(t, m)
	release(t, acquire(t, m.Lock("a")))
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Lock("a").Acquire(t.Context()); !errors.Is(err, manager.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	gather(t, r).want(t, map[string]float64{
		"lockkeeper_acquisitions_total{name=a,result=acquired}": 1,
		"lockkeeper_acquisitions_total{name=a,result=failed}":   1,
		"lockkeeper_held{name=a}":                               0,
	})
}

func TestWhatIsNoManagerIsRefused(t *testing.T) {
	m := newManager(t, memory.New())
	for what, ms := range map[string][]*manager.Manager{
		"none": nil, "nil": {m, nil}, "zero": {{}}, "twice": {m, m},
	} {
		if c, err := New(ms...); c != nil || !errors.Is(err, manager.ErrInvalid) {
			t.Errorf("%s: %v, %v", what, c, err)
		}
	}
}

func TestASecondCollectorIsRefusedByTheRegistry(t *testing.T) {
	r := register(t, newManager(t, memory.New()))
	c, err := New(newManager(t, memory.New()))
	if err != nil {
		t.Fatal(err)
	}
	var already prometheus.AlreadyRegisteredError
	if err := r.Register(c); !errors.As(err, &already) {
		t.Errorf("got %v", err)
	}
}

func TestScrapesAtOnceDoNotDisturbEachOther(t *testing.T) {
	m := newManager(t, memory.New(), manager.WithHistory(manager.OnlyNames("a")))
	web := promhttp.HandlerFor(register(t, m), promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				release(t, acquire(t, m.Lock("a")), acquire(t, m.Lock("b")))
				rec := httptest.NewRecorder()
				web.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
				body, _ := io.ReadAll(rec.Body)
				if rec.Code != 200 || !strings.Contains(string(body), `lockkeeper_held{manager="",name="a",store="memory"}`) {
					t.Errorf("status %d: %.300s", rec.Code, body)
				}
			}
		})
	}
	wg.Wait()
}
