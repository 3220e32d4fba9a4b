// Package lkprometheus shows to Prometheus what the locks of a process do.
//
//	m, err := manager.New(store, manager.WithHistory(manager.OnlyNames("deploy", "report")))
//	…
//	c, err := lkprometheus.New(m)
//	…
//	prometheus.MustRegister(c)
//
// # Metrics
//
// All durations are in seconds. A counter never goes back while its manager lives.
//
//	lockkeeper_waiting                         gauge      acquires that wait
//	lockkeeper_held                            gauge      grants held
//	lockkeeper_wait_duration_seconds           histogram  from acquires to their grants, or to the end of their contexts
//	lockkeeper_hold_duration_seconds           histogram  from grants to their releases or losses
//	lockkeeper_acquisitions_total{result}      counter    acquires: acquired, timed_out, cancelled, busy, failed
//	lockkeeper_contentions_total               counter    acquires, not tries, that others kept waiting
//	lockkeeper_leases_lost_total{reason}       counter    leases that ended before their release: see manager.LostReason
//	lockkeeper_renewals_total{result}          counter    renewals: confirmed, failed
//	lockkeeper_lease_remaining_seconds         gauge      until the first grant ends, unless it is renewed; absent if none can
//	lockkeeper_oldest_waiter_seconds           gauge      how long the oldest waiter has waited; 0 if nothing waits
//	lockkeeper_longest_hold_seconds            gauge      how long the oldest holder has held; 0 if nothing is held
//	lockkeeper_leader                          gauge      names under which this process leads: see manager.Lead
//
// [manager.Counters] says in detail what counts as what.
//
// # Labels
//
// Each metric has the labels store (memory, file, redis), manager (see [manager.WithLabel]) and
// name. A name has a series of its own if the manager keeps its history: see [manager.WithHistory],
// which takes a list of names or makes one key of many ids. The series with the empty name counts
// all other names, so a sum over name is exact, and there are never more than
// [manager.MaxHistory] names. A name has its series from its first use on.
//
// Managers with the same store and label count as one: their counters are added up, the ages are
// those of the oldest. Register one Collector with all managers of a process: a second Collector
// has the same metrics, which a registry refuses.
//
// # Costs
//
// Nothing is counted twice: a scrape reads [manager.Manager.Stats]. With 10 000 live names it takes
// about 30 ms of processor time on a busy machine, half of it in Stats. Each name with a series
// of its own is 30 lines for each of the two histograms, and about 23 more.
//
// dashboard.json is a dashboard for Grafana.
package lkprometheus
