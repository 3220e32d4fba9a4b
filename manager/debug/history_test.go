package debug

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/manager"
)

func TestSamplesOfASlotAreItsMaximum(t *testing.T) {
	h := &history{}
	r := live("a")
	for i, waiting := range []int64{1, 5, 2} {
		r.Waiting = waiting
		h.sample(stats(noon.Add(time.Duration(i)*time.Second), r))
	}
	r.Waiting = 3
	h.sample(stats(noon.Add(slotLength), r))
	d := h.names["a"]
	if now := d.at % slots; d.waiting[now] != 3 || d.waiting[now-1] != 5 {
		t.Errorf("%v", d.waiting)
	}
}

func TestCountersThatBeginAnewAreNoLossUndone(t *testing.T) {
	h := &history{}
	for i, n := range []uint64{0, 2, 2, 1, 0, 3} { // the name went out of use twice
		r := live("a")
		r.Waiting, r.Lost = 1, n
		h.sample(stats(noon.Add(time.Duration(i)*slotLength), r))
	}
	d := h.names["a"]
	var got []uint32
	for i := int64(5); i >= 0; i-- {
		got = append(got, d.bad[(d.at-i)%slots])
	}
	if !slices.Equal(got, []uint32{0, 2, 0, 1, 0, 3}) || h.recent("a") != 6 {
		t.Errorf("%v, %d", got, h.recent("a"))
	}
}

// The memory is bounded, and what is quiet is forgotten.
func TestTheHistoryIsBounded(t *testing.T) {
	h := &history{}
	at := noon
	for round := range 5 {
		var rows []manager.ResourceStats
		for i := range maxTracked {
			r := live(fmt.Sprintf("%d %06d", round, i))
			r.Waiting = 1
			rows = append(rows, r)
		}
		at = at.Add(slotLength)
		h.sample(stats(at, rows...))
		if len(h.names) != maxTracked {
			t.Fatalf("%d names", len(h.names))
		}
	}
	h.sample(stats(at.Add(window+slotLength), live("a")))
	if len(h.names) != 0 {
		t.Errorf("%d names are remembered for ever", len(h.names))
	}
	h.sample(stats(time.Time{}.Add(slotLength), live("a"))) // a clock before 1970 has no slots
}

func TestTotalsCountWhatWasAcquiredSinceTheLastLook(t *testing.T) {
	h := &history{}
	for i, n := range []uint64{100, 103, 110} {
		s := stats(noon.Add(time.Duration(i) * slotLength))
		s.Totals.Acquisitions = n
		h.sample(s)
	}
	d := &h.totals
	if now := d.at % slots; d.done[now-2] != 0 || d.done[now-1] != 3 || d.done[now] != 7 {
		t.Errorf("%v", d.done)
	}
}

// The page knows nothing of the time in which nobody looked: the line has a gap there, and what was
// acquired meanwhile was not acquired in one slot.
func TestTheLineHasAGapWhereNobodyLooked(t *testing.T) {
	h := &history{}
	r := live("a")
	r.Waiting = 1
	for _, slot := range []int{0, 1, 11, 21, 22} {
		s := stats(noon.Add(time.Duration(slot)*slotLength), r)
		s.Totals.Acquisitions = uint64(1000 * slot)
		h.sample(s)
	}
	for _, d := range []*spark{h.drawWaiting(&h.totals), h.drawWaiting(h.names["a"])} {
		if strings.Count(d.Line, "M") != 3 || strings.Count(d.Line, "L") != 2 || strings.Contains(d.Line, " 22.0") {
			t.Errorf("the line is %s", d.Line)
		}
		if strings.Count(d.Area, "M") != 3 || strings.Count(d.Area, "Z") != 3 {
			t.Errorf("the area is %s", d.Area)
		}
	}
	if top := slices.Max(h.totals.done[:]); top != 1000 {
		t.Errorf("%d acquired in a slot", top)
	}
	h.sample(stats(noon.Add(window+30*slotLength), r)) // all that was known is over
	if d := h.drawWaiting(h.names["a"]); strings.Count(d.Line, "M") != 1 || strings.Contains(d.Line, "L") {
		t.Errorf("the line is %s", d.Line)
	}
	if h.drawWaiting(nil) != nil {
		t.Error("a line of a name of which nothing is known")
	}
}
