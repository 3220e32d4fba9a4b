package debug

import (
	"net/http"
	"time"

	"github.com/lockkeeper/lockkeeper/manager"
)

// Remember has the page of a process remember the last minutes: how many waited for each name, and
// how many acquires there were, in each slot. The last slot is the one before now.
func Remember(h http.Handler, waited map[string][]int64, acquired []uint64) {
	past := &h.(*handler).subject.(*process).past
	done := uint64(0)
	for i := range acquired {
		s := &manager.Stats{Time: time.Now().Add(-slotLength * time.Duration(len(acquired)-i))}
		for name, n := range waited {
			s.Resources = append(s.Resources, manager.ResourceStats{Name: name, Waiting: n[i]})
			s.Waiting += n[i]
		}
		done += acquired[i]
		s.Totals.Acquisitions = done
		past.sample(s)
	}
}
