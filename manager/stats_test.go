package manager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// Every acquire ends as exactly one of the counters, and what was granted was released, whatever comes and goes.
func TestCountersMissNothingAndCountNothingTwice(t *testing.T) {
	m := newManager(t, memory.New())
	const goroutines, rounds = 8, 2_000
	var wg, reader sync.WaitGroup
	stop := make(chan struct{})
	reader.Go(func() { // totals never go back
		var last uint64
		for {
			select {
			case <-stop:
				return
			default:
			}
			s := m.Stats().Totals
			if s.Acquisitions < last || s.Releases > s.Acquisitions {
				t.Errorf("%d acquired after %d, %d released", s.Acquisitions, last, s.Releases)
				return
			}
			last = s.Acquisitions
		}
	})
	for g := range goroutines {
		rnd := rand.New(rand.NewPCG(7, uint64(g)))
		wg.Go(func() {
			for range rounds {
				name := string(rune('a' + rnd.IntN(4)))
				ctx, cancel := context.WithCancel(context.Background())
				var l *Lease
				switch rnd.IntN(3) {
				case 0:
					go cancel()
					l, _ = m.Lock(name).Acquire(ctx)
				case 1:
					l, _ = m.Lock(name).TryAcquire(ctx)
				default:
					l, _ = m.Lock(name).Acquire(context.Background())
				}
				cancel()
				if l != nil {
					mustRelease(t, l)
				}
				if rnd.IntN(20) == 0 {
					k := m.keeper(name)
					k.mail.Tell(sweep{})
					k.mail.Tell(sweep{})
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	reader.Wait()
	s := m.Stats()
	c := s.Totals
	sum := c.Acquisitions + c.TimedOut + c.Cancelled + c.Busy + c.Failed
	if sum != goroutines*rounds || c.Acquisitions != c.Releases || c.Failed != 0 || c.Lost != 0 || s.Holding != 0 || s.Waiting != 0 {
		t.Errorf("%d of %d: %+v", sum, goroutines*rounds, c)
	}
	if c.Waits.Count() != c.Acquisitions+c.Cancelled || c.Holds.Count() != c.Releases {
		t.Errorf("histograms: %d waits, %d holds of %d", c.Waits.Count(), c.Holds.Count(), c.Acquisitions)
	}
}

func TestStatsShowWhoHoldsAndWaits(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("b"))
		r := []*Lease{mustAcquire(t, m.RWLock("a").Read()), mustAcquire(t, m.RWLock("a").Read())}
		w := start(m.Lock("b"))
		sleep(3 * time.Second)
		s := m.Stats()
		if s.Store != "memory" || s.Holding != 3 || s.Waiting != 1 || len(s.Resources) != 2 ||
			s.Resources[0].Name != "a" || s.Resources[0].KindName != "rwlock" || s.Resources[0].Holding != 2 {
			t.Errorf("stats: %+v", s)
		}
		mustRelease(t, l)
		l = w.granted(t)
		if q := row(m, "b").Waits.Quantile(1); q < 3*time.Second || q > 6*time.Second {
			t.Errorf("waited %v", q)
		}
		if q := row(m, "b").Holds.Quantile(1); q < 3*time.Second || q > 6*time.Second {
			t.Errorf("held %v", q)
		}
		mustRelease(t, append(r, l)...)
	})
}

// What is held and what waits now can be seen with its ages: in a row, and over all names.
func TestStatsTellSinceWhenIsHeldAndWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		began := time.Now()
		after := func(d time.Duration, at time.Time) bool { return at.Equal(began.Add(d)) }
		s := m.Semaphore("s", 3)
		a := mustAcquire(t, s.Permits(2))
		sleep(time.Second)
		b := mustAcquire(t, s.Permits(1))
		sleep(time.Second)
		w := start(s.Permits(3))
		sleep(time.Second)
		v := start(s.Permits(1))
		all := m.Stats()
		q := all.Resources[0]
		if !after(0, all.LongestHold) || !after(0, q.LongestHold) || !after(2*time.Second, all.OldestWaiter) ||
			!after(2*time.Second, q.OldestWaiter) || !all.ValidUntil.IsZero() || !after(3*time.Second, all.Time) {
			t.Errorf("ages: %+v", all)
		}
		if h := q.Holders; len(h) != 2 || !after(0, h[0].Since) || h[0].Weight != 2 || h[0].Token != a.Token() ||
			!after(time.Second, h[1].Since) || h[1].Weight != 1 || h[1].Token != b.Token() || !h[0].ValidUntil.IsZero() {
			t.Errorf("holders: %+v", h)
		}
		if h := q.Waiters; len(h) != 2 || !after(2*time.Second, h[0].Since) || h[0].Weight != 3 ||
			!after(3*time.Second, h[1].Since) || h[1].Weight != 1 {
			t.Errorf("waiters: %+v", h)
		}
		if all.PID != os.Getpid() || all.Label != "blue" || q.Leading {
			t.Errorf("manager: %+v", all)
		}
		mustRelease(t, a, b)
		mustRelease(t, w.granted(t))
		mustRelease(t, v.granted(t))
		if all = m.Stats(); !all.LongestHold.IsZero() || !all.OldestWaiter.IsZero() {
			t.Errorf("ages of nothing: %+v", all)
		}
	}, WithLabel("blue"))
}

func TestStatsListTheOldestHoldersAndWaitersOnly(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		var ls []*Lease
		var ws []*waiter
		for range MaxListed + 5 {
			ls = append(ls, mustAcquire(t, m.RWLock("rw").Read()))
			sleep(time.Second)
		}
		for range MaxListed + 7 {
			ws = append(ws, start(m.RWLock("rw").Write()))
		}
		q := row(m, "rw")
		if len(q.Holders) != MaxListed || len(q.Waiters) != MaxListed || q.Holding != MaxListed+5 || q.Waiting != MaxListed+7 ||
			q.Holders[0].Token != ls[0].Token() || !q.LongestHold.Equal(q.Holders[0].Since) {
			t.Errorf("%+v", q)
		}
		mustRelease(t, ls...)
		for _, w := range ws {
			mustRelease(t, w.granted(t))
		}
	})
}

func TestStatsTellTheEarliestEndAndWhoLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, newFake())
		a := mustAcquire(t, m.Lock("a"))
		sleep(time.Second)
		err := m.Lead(t.Context(), "b", func(ctx context.Context, _ uint64) error {
			s := m.Stats()
			if s.Resources[0].Leading || !s.Resources[1].Leading {
				t.Errorf("leads: %+v", s.Resources)
			}
			if !s.ValidUntil.Equal(a.ValidUntil()) || !s.Resources[1].ValidUntil.Equal(LeaseFrom(ctx).ValidUntil()) {
				t.Errorf("valid until %v, of %v and %v", s.ValidUntil, a.ValidUntil(), LeaseFrom(ctx).ValidUntil())
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		mustRelease(t, a)
	})
}

// A network that is down: each attempt to renew counts, and the loss says why.
func TestALeaseThatExpiresSaysWhyItWasNotRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, down := newFake(), errors.New("no route to host")
		m := newManager(t, f)
		a, b := mustAcquire(t, m.Lock("db")), mustAcquire(t, m.Semaphore("s", 2).Permits(1))
		f.set(func(_ context.Context, op string) error {
			if op == "renew" {
				return down
			}
			return nil
		}, nil)
		sleep(time.Minute)
		for _, l := range []*Lease{a, b} {
			err := l.Err()
			wantLost(t, err, Expired)
			wantErr(t, err, down)
			wantErr(t, err, ErrUnavailable)
			_ = l.Release()
		}
		c := m.Stats().Totals
		if c.RenewalsFailed < 4 || c.Renewals != 0 || c.Lost != 2 || !reflect.DeepEqual(c.LostBy, map[LostReason]uint64{Expired: 2}) {
			t.Errorf("counted %+v", c)
		}
		f.set(nil, nil)
		a = mustAcquire(t, m.Lock("db")) // the failure is over with the next renewal
		sleep(time.Minute)
		if k := m.keeper("db"); k.unrenewed() != nil {
			t.Error(k.unrenewed())
		}
		mustRelease(t, a)
	})
}

func TestLossesAreCountedByTheirReason(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		lose := func(name string, cause func(), opts ...AcquireOption) {
			l := mustAcquire(t, m.Lock(name), opts...)
			cause()
			synctest.Wait()
			wantErr(t, l.Release(), ErrLost)
		}
		lose("a", func() { sleep(2 * time.Second) }, HoldAtMost(time.Second))
		lose("a", func() { sleep(2 * time.Second) }, HoldAtMost(time.Second))
		lose("b", func() { _ = m.Break(t.Context(), "b") })
		lose("c", func() { _ = m.Close(t.Context()) })
		s := m.Stats().Totals
		if s.Lost != 4 || !reflect.DeepEqual(s.LostBy, map[LostReason]uint64{MaxHold: 2, Broken: 1, ByClose: 1}) {
			t.Errorf("%d lost: %v", s.Lost, s.LostBy)
		}
	})
}

// A snapshot shares nothing with the counters that go on.
func TestStatsAreACopy(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		lose := func() {
			l := mustAcquire(t, m.Lock("a"), HoldAtMost(time.Millisecond))
			sleep(2 * time.Millisecond)
			_ = l.Release()
		}
		lose()
		before := m.Stats()
		lose()
		if before.Totals.LostBy[MaxHold] != 1 || before.Resources[0].LostBy[MaxHold] != 1 {
			t.Errorf("changed: %v", before.Totals.LostBy)
		}
	})
}

func TestNamesOfStatsAreStable(t *testing.T) {
	at := time.Unix(1, 0)
	b, err := json.Marshal(Stats{
		LongestHold: at, OldestWaiter: at, ValidUntil: at, History: map[string]Counters{"x": {}},
		Totals: Counters{LostBy: map[LostReason]uint64{Expired: 1}},
		Resources: []ResourceStats{{
			Name: "x", KindName: "mutex", Key: "x", LongestHold: at, OldestWaiter: at, ValidUntil: at, Leading: true,
			Holders: []HolderStats{{Site: "main.go:1", ValidUntil: at}}, Waiters: []WaiterStats{{Site: "main.go:2", Holds: []string{"y"}}},
			Counters: Counters{LostBy: map[LostReason]uint64{Expired: 1}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	has := func(what string, v any, keys ...string) {
		for _, k := range keys {
			if _, ok := v.(map[string]any)[k]; !ok {
				t.Errorf("%s misses %q", what, k)
			}
		}
		if n := len(v.(map[string]any)); n != len(keys) {
			t.Errorf("%s has %d fields, want %d: %v", what, n, len(keys), v)
		}
	}
	counters := []string{
		"acquisitions", "releases", "contended", "timed_out", "cancelled", "busy", "failed", "lost", "lost_by", "dropped", "handoffs",
		"renewals", "renewals_failed", "requeued", "waits", "holds",
	}
	has("Stats", got, "store", "host", "pid", "label", "time", "holding", "waiting", "longest_hold", "oldest_waiter",
		"valid_until", "totals", "resources", "history")
	has("totals", got["totals"], counters...)
	has("a histogram", got["totals"].(map[string]any)["waits"], "buckets", "sum_ns")
	row := got["resources"].([]any)[0].(map[string]any)
	has("a row", row, append(counters, "name", "kind", "capacity", "key", "holding", "waiting", "longest_hold", "oldest_waiter",
		"valid_until", "leading", "holders", "waiters")...)
	has("a holder", row["holders"].([]any)[0], "site", "since", "valid_until", "token", "weight")
	has("a waiter", row["waiters"].([]any)[0], "site", "since", "weight", "holds")
}

// Statistics of ten thousand names that are held.
func BenchmarkStatsOf10000(b *testing.B) {
	m := newManager(b, memory.New())
	for i := range 10_000 {
		l := mustAcquire(b, m.Lock(fmt.Sprint("name ", i)))
		defer mustRelease(b, l)
	}
	b.ReportAllocs()
	for b.Loop() {
		if s := m.Stats(); s.Holding != 10_000 {
			b.Fatal(s.Holding)
		}
	}
}
