//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/torture"
)

func TestMain(m *testing.M) {
	torture.Worker(Postgres())
	leaktest.Main(m)
}

// A short run with a seed of its own each time; its log has the seed.
func TestTortureOfPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of faults; not with -short")
	}
	c := torture.Defaults()
	c.Seed = uint64(time.Now().UnixMilli() % 1_000_000)
	c.Duration = 12 * time.Second
	var out strings.Builder
	report, err := torture.Run(t.Context(), c, []torture.Store{Postgres()}, &out)
	if err != nil {
		t.Fatal(err)
	}
	report.Print(&out)
	t.Logf("seed %d\n%s", c.Seed, out.String())
	v := report.Verdicts["postgres"]
	if v.Operations["granted"] == 0 || len(v.Faults) == 0 {
		t.Errorf("%d grants, faults %v", v.Operations["granted"], v.Faults)
	}
	if !report.OK() {
		t.Errorf("promises were broken; to see it again: make torture-all TORTURE='-store postgres -seed %d -duration %v'", c.Seed, c.Duration)
	}
}
