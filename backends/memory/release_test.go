package memory_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestReleaseNeedsNoContext(t *testing.T) {
	b := memory.New()
	g := try(t, b, mutex("db"))
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := backends.Release(done, b, g); err != nil {
		t.Errorf("Release with a cancelled context: %v", err)
	}
	release(t, b, try(t, b, mutex("db")))
}

func TestBreakTellsEveryHolder(t *testing.T) {
	b := memory.New()
	var events []backends.Event
	r := backends.Request{
		Resource: backends.Resource{Name: "db", Kind: backends.Semaphore, Capacity: 3},
		Weight:   1, Tokens: 1,
		Notify: func(e backends.Event) { events = append(events, e) },
	}
	grants := map[backends.GrantID]backends.Grant{}
	for range 3 {
		g := try(t, b, r)
		grants[g.ID] = g
	}
	if err := b.Peer().Break(t.Context(), "db"); err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		var lost *backends.LostError
		g, known := grants[e.Grant]
		if !known || e.Type != backends.Lost || !errors.As(e.Err, &lost) ||
			*lost != (backends.LostError{Name: "db", Token: g.Token, Reason: backends.Broken}) {
			t.Errorf("event %+v; want a *LostError of one of the grants", e)
		}
		delete(grants, e.Grant)
	}
	if len(grants) > 0 {
		t.Errorf("not told: %v", grants)
	}
}
