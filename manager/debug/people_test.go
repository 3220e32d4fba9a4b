package debug

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

func TestATimeHasItsDateUnlessItIsToday(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.Local)
	for ago, want := range map[time.Duration]cell{
		time.Hour:      {Text: "11:00:00", Full: "2026-01-02 11:00:00"},
		24 * time.Hour: {Text: "2026-01-01 12:00:00"},
	} {
		if got := dated(now, now.Add(-ago).UTC()); got != want {
			t.Errorf("%v ago: %+v", ago, got)
		}
	}
	if got := dated(now, time.Time{}); got != (cell{}) {
		t.Errorf("no time: %+v", got)
	}
}

// What the store keeps taken after a release has no holder that could renew it.
func TestAHolderIsShownAsItsStoreKnowsIt(t *testing.T) {
	state := &backends.State{Resource: backends.Resource{Kind: backends.Semaphore, Capacity: 5}, Holders: []backends.Holder{
		{ID: backends.GrantID{Seq: 1}, Owner: backends.Owner{Label: "a", PID: 4711}, Weight: 3, Token: 7, Expires: 5 * time.Second},
		{ID: backends.GrantID{Seq: 2}, Weight: 1, Kept: 2 * time.Second},
		{ID: backends.GrantID{Seq: 3}, Weight: 1, Detached: true, Expires: 3 * time.Second},
		{Weight: 1},
	}}
	p := holders(state)
	if p.Heads[len(p.Heads)-1] != "permits" {
		t.Errorf("%q", p.Heads)
	}
	for i, want := range [][]string{
		{"a", "4711", "", "", "", "5" + space + "s", "7", "3"},
		{"", "", "", "", "", "released, kept for 2" + space + "s", "", "1"},
		{"", "", "", "", "", "detached, ends in 3" + space + "s", "", "1"},
		{foreign, "", "", "", "", "", "", "1"},
	} {
		for j, c := range p.Rows[i] {
			if c.Text != want[j] {
				t.Errorf("row %d: %s: %q, want %q", i, p.Heads[j], c.Text, want[j])
			}
		}
	}
}
