package lkprometheus

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

const patience = 2 * time.Minute

func redisManager(t *testing.T, s *redistest.Server, ttl time.Duration) *manager.Manager {
	t.Helper()
	b, err := redis.New(s.Client(t), redis.WithPrefix(s.Prefix()))
	if err != nil {
		t.Fatal(err)
	}
	return newManager(t, b, manager.WithTTL(ttl), manager.WithHistory(manager.OnlyNames("a")))
}

// until gathers until f is content.
func until(t *testing.T, r prometheus.Gatherer, f func(sample) bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(gather(t, r)); {
		if time.Now().After(end) {
			t.Fatalf("after %v: %v", patience, monotone(gather(t, r)))
		}
	}
}

func TestRemainingTimeIsThatOfTheGrantThatEndsFirst(t *testing.T) {
	m := redisManager(t, server.Get(t), 10*time.Hour) // nothing is renewed meanwhile
	r := register(t, m)
	if s := gather(t, r); s["lockkeeper_lease_remaining_seconds"] != nil {
		t.Error("nothing is held, and something remains")
	}
	first := acquire(t, m.Lock("a"))
	second := acquire(t, m.Lock("b"))
	before := time.Now()
	s := gather(t, r)
	after := time.Now()
	for key, l := range map[string]*manager.Lease{"{name=a}": first, "": second} {
		got := s.value(t, "lockkeeper_lease_remaining_seconds"+key)
		// The grants know their ends to the microsecond or so.
		lo, hi := l.ValidUntil().Sub(after).Seconds()-0.01, l.ValidUntil().Sub(before).Seconds()+0.01
		if got < lo || got > hi {
			t.Errorf("%q: %v, want %v to %v", key, got, lo, hi)
		}
	}
	release(t, first, second)
}

func TestOfManyGrantsTheOneThatEndsFirstCounts(t *testing.T) {
	now := time.Now()
	s := manager.Stats{Store: "redis", Time: now}
	for _, left := range []time.Duration{5 * time.Second, 3 * time.Second, 0, 4 * time.Second} {
		r := manager.ResourceStats{}
		if left != 0 {
			r.ValidUntil = now.Add(left)
		}
		s.Resources = append(s.Resources, r)
	}
	all := make(table)
	all.add(s)
	if got := all[labels{store: "redis"}]; len(all) != 1 || !got.expires || got.remaining != 3*time.Second {
		t.Errorf("%d series, %+v", len(all), got)
	}
}

// A machine that stands still loses leases before they are renewed, so the test tries again.
func TestRenewalsAndLossesAreCountedByResultAndReason(t *testing.T) {
	s := redistest.Start(t)
	m := redisManager(t, s, time.Second)
	r := register(t, m)
	gather(t, r).want(t, map[string]float64{
		"lockkeeper_leases_lost_total{reason=expired}": 0, "lockkeeper_renewals_total{result=failed}": 0,
	})
	lost := 0
	lose := func(l *manager.Lease) {
		<-l.Context().Done()
		_ = l.Release()
		lost++
	}

	l := acquire(t, m.Lock("a"))
	until(t, r, func(s sample) bool {
		if l.Err() != nil {
			lose(l)
			l = acquire(t, m.Lock("a"))
		}
		return s.value(t, "lockkeeper_renewals_total{name=a,result=confirmed}") > 0
	})
	if err := m.Break(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	lose(l)
	until(t, r, func(s sample) bool {
		sum := 0.0
		for _, why := range reasons {
			sum += s.value(t, "lockkeeper_leases_lost_total{name=a,reason="+string(why)+"}")
		}
		return sum == float64(lost)
	})

	before := gather(t, r).value(t, "lockkeeper_leases_lost_total{name=a,reason=expired}")
	until(t, r, func(sample) bool {
		l := acquire(t, m.Lock("a"))
		s.Kill()
		lose(l)
		s.Restart(t)
		now := gather(t, r)
		return now.value(t, "lockkeeper_renewals_total{name=a,result=failed}") > 0 &&
			now.value(t, "lockkeeper_leases_lost_total{name=a,reason=expired}") > before
	})
}
