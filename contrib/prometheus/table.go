package lkprometheus

import (
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/manager"
)

// labels are those that every metric has.
type labels struct{ store, manager, name string }

// series is what is known of the names that have the same labels.
type series struct {
	waiting, held, leading int64

	oldestWaiter, longestHold time.Duration // 0: none
	remaining                 time.Duration // the least
	expires                   bool          // remaining is known

	counts
}

// table collects the statistics of managers by labels. Labels are cleaned before they meet here, so
// no two series have the same.
type table map[labels]*series

// add adds what a manager says. The names without a key get what the totals say beyond the history.
// Both are of one moment, and count each name under the same key always. So this difference is the
// sum of the counters of those names, and goes back no more than they do.
func (t table) add(s manager.Stats) {
	rest := t.at(&s, "")
	rest.counts.add(&s.Totals, 1)
	keyed := map[string]*series{"": rest} // labels take longer to make and to find than keys
	for key, c := range s.History {
		rest.counts.add(&c, -1)
		keyed[key] = t.at(&s, key)
		keyed[key].counts.add(&c, 1)
	}
	for i := range s.Resources {
		r := &s.Resources[i]
		of := keyed[r.Key]
		if of == nil { // without a count yet
			of = t.at(&s, r.Key)
			keyed[r.Key] = of
		}
		of.addLive(r, s.Time)
	}
}

func (t table) at(s *manager.Stats, name string) *series {
	l := labels{store: clean(s.Store), manager: clean(s.Label), name: clean(name)}
	if t[l] == nil {
		t[l] = &series{counts: counts{lost: make(map[manager.LostReason]uint64)}}
	}
	return t[l]
}

// clean returns a label value for s: Prometheus takes only UTF-8.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// addLive adds what happens to a name now.
func (s *series) addLive(r *manager.ResourceStats, now time.Time) {
	s.waiting += r.Waiting
	s.held += r.Holding
	if r.Leading {
		s.leading++
	}
	if !r.OldestWaiter.IsZero() {
		s.oldestWaiter = max(s.oldestWaiter, now.Sub(r.OldestWaiter))
	}
	if !r.LongestHold.IsZero() {
		s.longestHold = max(s.longestHold, now.Sub(r.LongestHold))
	}
	if !r.ValidUntil.IsZero() {
		left := r.ValidUntil.Sub(now)
		if s.expires {
			left = min(left, s.remaining)
		}
		s.remaining, s.expires = left, true
	}
}

// counts are those of a manager.Counters that are shown.
type counts struct {
	acquired, timedOut, cancelled, busy, failed uint64
	contended                                   uint64
	renewed, renewalsFailed                     uint64
	lost                                        map[manager.LostReason]uint64
	waits, holds                                manager.Histogram
}

// add adds c, or subtracts it if sign is -1: uint64 wraps, so its sums are exact both ways.
func (n *counts) add(c *manager.Counters, sign int64) {
	by := uint64(sign)
	n.acquired += by * c.Acquisitions
	n.timedOut += by * c.TimedOut
	n.cancelled += by * c.Cancelled
	n.busy += by * c.Busy
	n.failed += by * c.Failed
	n.contended += by * c.Contended
	n.renewed += by * c.Renewals
	n.renewalsFailed += by * c.RenewalsFailed
	for why, lost := range c.LostBy {
		n.lost[why] += by * lost
	}
	addHistogram(&n.waits, &c.Waits, sign)
	addHistogram(&n.holds, &c.Holds, sign)
}

func addHistogram(sum, h *manager.Histogram, sign int64) {
	for i, c := range h.Buckets {
		sum.Buckets[i] += uint64(sign) * c
	}
	sum.Sum += time.Duration(sign) * h.Sum
}
