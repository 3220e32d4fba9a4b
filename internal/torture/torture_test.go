//go:build linux

package torture

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
)

func TestMain(m *testing.M) {
	Worker(Files(), Redis(), Sentinel(), Cluster())
	leaktest.Main(m)
}

// TestTorture is a short run with a seed of its own each time; its log has the seed.
func TestTorture(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of faults; not with -short")
	}
	t.Parallel()
	short(t, 7*time.Second, Files(), Redis())
}

// TestTortureOfFailovers is the same for Redis with replicas.
func TestTortureOfFailovers(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of faults; not with -short")
	}
	t.Parallel()
	short(t, 12*time.Second, Sentinel(), Cluster())
}

func short(t *testing.T, d time.Duration, stores ...Store) {
	t.Helper()
	c := Defaults()
	c.Seed = uint64(time.Now().UnixMilli() % 1_000_000)
	c.Duration, c.TTL, c.Heartbeat = d, 800*time.Millisecond, 400*time.Millisecond
	report := torture(t, c, stores...)
	for store, v := range report.Verdicts {
		if v.Operations["granted"] == 0 || len(v.Faults) == 0 {
			t.Errorf("%s: %d grants, faults %v", store, v.Operations["granted"], v.Faults)
		}
	}
	if !report.OK() {
		t.Errorf("promises were broken; to see it again: make torture TORTURE='-store %s -seed %d -duration %v'", stores[0].Name+","+stores[1].Name, c.Seed, c.Duration)
	}
}

// torture runs, and logs what was found.
func torture(t *testing.T, c Config, stores ...Store) *Report {
	t.Helper()
	var out strings.Builder
	report, err := Run(t.Context(), c, stores, &out)
	if err != nil {
		t.Fatal(err)
	}
	report.Print(&out)
	t.Logf("seed %d\n%s", c.Seed, out.String())
	return report
}

// Two failovers that cross leave each server the replica of the other, which nothing else ends.
func TestServersThatFollowEachOtherAreUntangled(t *testing.T) {
	t.Parallel()
	s := &Stage{&stage{TB: t, dir: t.TempDir()}}
	t.Cleanup(s.end)
	b := Sentinel().Start(s, Defaults()).(*sentinelBed)
	host, port, _ := net.SplitHostPort(b.replica.Addr)
	b.must(on(b.primary, func(c *goredis.Client) error { return c.ReplicaOf(t.Context(), host, port).Err() }))
	b.untangle()
	b.await("one server follows the other", func() bool { return role(b.primary) == "master" && b.agreed() })
}

// Every seeded bug is found by the check that it is for.
func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("up to a minute for each seeded bug; not with -short")
	}
	long := os.Getenv("LOCKKEEPER_LONG") != ""
	for _, m := range mutants {
		t.Run(m.Name, func(t *testing.T) {
			if !long && !m.quick {
				t.Skip("with LOCKKEEPER_LONG=1")
			}
			t.Parallel()
			c := Defaults()
			c.Mutant, c.Faults, c.Duration = m.Name, m.needs, 15*time.Second
			if m.quick {
				c.Duration = 4 * time.Second
			}
			for c.Seed = 1; c.Seed <= 4; c.Seed++ { // a minute in all
				if report := torture(t, c, find([]Store{Files(), Redis()}, m.Store)); report.Verdicts[m.Store].Counts[m.Found] > 0 {
					return
				}
			}
			t.Errorf("%s has not found it", m.Found)
		})
	}
}
