package redistest_test

import (
	"context"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

func TestClockOfAServerIsSet(t *testing.T) {
	s, clock := redistest.StartWithClock(t, -time.Hour)
	c := s.Client(t)
	for _, off := range []time.Duration{-time.Hour, 2 * time.Hour} {
		clock.Set(t, off)
		now, err := c.Time(context.Background()).Result()
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Until(now) - off; d.Abs() > time.Minute {
			t.Errorf("the server's clock is off by %v, want %v", time.Until(now), off)
		}
	}
}
