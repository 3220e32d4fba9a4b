package redistest_test

import (
	"context"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

func TestClusterServesEverySlotAndMovesOne(t *testing.T) {
	c := redistest.StartCluster(t, 3, 1)
	client := c.Client(t)
	ctx := context.Background()
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		if err := client.Set(ctx, key, "v", 0).Err(); err != nil {
			t.Fatalf("SET %s: %v", key, err)
		}
	}
	slot := c.Slot(t, "a")
	from := c.Primary(slot)
	to := c.Primaries[(from+1)%3]
	c.Begin(t, slot, c.Primaries[from], to)
	if n := c.MoveKeys(t, slot, 10, c.Primaries[from], to); n != 1 {
		t.Errorf("%d keys were moved, want 1", n)
	}
	c.End(t, slot, to)
	if v, err := to.Client(t).Get(ctx, "a").Result(); v != "v" || err != nil {
		t.Errorf("the new owner says %q, %v", v, err)
	}
}
