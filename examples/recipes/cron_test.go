package recipes

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
)

// Three hosts whose clocks differ by up to twenty seconds, for an hour.
func TestEachMinuteHasOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		ran := map[time.Time]int{} // by the minute of the first clock
		begin := time.Now().Truncate(time.Minute)
		var hosts []*manager.Manager
		for range 3 {
			m, err := manager.New(store.Peer())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = m.Close(context.Background()) }()
			hosts = append(hosts, m)
		}
		for range 60 {
			for i, skew := range []time.Duration{0, 7 * time.Second, 20 * time.Second} {
				tick := time.Now().Truncate(time.Minute)
				time.Sleep(time.Until(tick.Add(skew)))
				err := Turn(t.Context(), hosts[i], "report", time.Minute, func(context.Context) error {
					ran[tick]++
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
			time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
		}
		for k := range 60 {
			if tick := begin.Add(time.Duration(k) * time.Minute); ran[tick] != 1 {
				t.Errorf("minute %d: %d turns; want one", k, ran[tick])
			}
		}
	})
}
