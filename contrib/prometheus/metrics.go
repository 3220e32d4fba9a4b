package lkprometheus

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockkeeper/lockkeeper/manager"
)

var (
	descWaiting      = describe("waiting", "Acquires that wait.")
	descHeld         = describe("held", "Grants held.")
	descWaits        = describe("wait_duration_seconds", "Time from acquires to their grants, or to the end of their contexts.")
	descHolds        = describe("hold_duration_seconds", "Time from grants to their releases or losses.")
	descAcquisitions = describe("acquisitions_total", "Acquires that ended, by result.", "result")
	descContentions  = describe("contentions_total", "Acquires, not tries, that others kept waiting.")
	descLost         = describe("leases_lost_total", "Leases that ended before their release, by reason.", "reason")
	descRenewals     = describe("renewals_total", "Renewals of leases, by result.", "result")
	descRemaining    = describe("lease_remaining_seconds", "Time until the first grant ends, unless it is renewed.")
	descOldestWaiter = describe("oldest_waiter_seconds", "How long the oldest waiter has waited.")
	descLongestHold  = describe("longest_hold_seconds", "How long the oldest holder has held.")
	descLeader       = describe("leader", "Names under which this process leads.")
)

var descriptions = []*prometheus.Desc{
	descWaiting, descHeld, descWaits, descHolds, descAcquisitions, descContentions, descLost, descRenewals,
	descRemaining, descOldestWaiter, descLongestHold, descLeader,
}

// reasons are shown from the beginning, so that a rate sees the first loss.
var reasons = []manager.LostReason{
	manager.Expired, manager.NotOwner, manager.BackendLost, manager.Broken, manager.MaxHold, manager.ByClose,
	manager.Dropped, manager.Panicked,
}

func describe(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("lockkeeper_"+name, help, append([]string{"store", "manager", "name"}, more...), nil)
}

// collect sends the metrics of a series.
func (s *series) collect(l labels, ch chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, more ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, append([]string{l.store, l.manager, l.name}, more...)...)
	}
	gauge := func(d *prometheus.Desc, v float64) { send(d, prometheus.GaugeValue, v) }
	counter := func(d *prometheus.Desc, v uint64, more ...string) {
		send(d, prometheus.CounterValue, float64(v), more...)
	}
	gauge(descWaiting, float64(s.waiting))
	gauge(descHeld, float64(s.held))
	gauge(descOldestWaiter, s.oldestWaiter.Seconds())
	gauge(descLongestHold, s.longestHold.Seconds())
	gauge(descLeader, float64(s.leading))
	if s.expires {
		gauge(descRemaining, s.remaining.Seconds())
	}
	counter(descAcquisitions, s.acquired, "acquired")
	counter(descAcquisitions, s.timedOut, "timed_out")
	counter(descAcquisitions, s.cancelled, "cancelled")
	counter(descAcquisitions, s.busy, "busy")
	counter(descAcquisitions, s.failed, "failed")
	counter(descContentions, s.contended)
	counter(descRenewals, s.renewed, "confirmed")
	counter(descRenewals, s.renewalsFailed, "failed")
	for _, why := range reasons {
		s.lost[why] += 0
	}
	for why, n := range s.lost {
		counter(descLost, n, clean(string(why)))
	}
	ch <- histogram(descWaits, &s.waits, l)
	ch <- histogram(descHolds, &s.holds, l)
}

// histogram converts h. Prometheus counts a duration of exactly a bound below it, and a
// manager.Histogram above: of nanoseconds that makes no difference.
func histogram(d *prometheus.Desc, h *manager.Histogram, l labels) prometheus.Metric {
	buckets := make(map[float64]uint64, manager.Buckets-1)
	var below uint64
	for i, bound := range bounds {
		below += h.Buckets[i]
		buckets[bound.Seconds()] = below
	}
	return prometheus.MustNewConstHistogram(d, h.Count(), h.Sum.Seconds(), buckets, l.store, l.manager, l.name)
}

var bounds = manager.BucketBounds()
