package faults

import (
	"io"
	"os"
	"testing"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/holders"
	"github.com/lockkeeper/lockkeeper/internal/leaktest"
)

func TestMain(m *testing.M) {
	harness.Dispatch(holders.Parts())
	leaktest.Main(m)
}

// promise is what a figure of ours must be, however busy the machine is.
type promise struct {
	figure      string
	least, most float64
}

// promises are those of each case, with what a broken one means.
var promises = map[string]map[promise]string{
	"black hole": {
		{"ahead ms", 0, 1e9}: "a holder that is cut off stops before another is granted the lock",
		{still, 0, 0}:        "it stops at all",
	},
	"pause": {
		{"stale ms", 0, 0}: "a holder that was stopped for too long does not go on",
		{"fenced", 1, 1}:   "its token is smaller than that of the next holder",
	},
	"crash": {{"ms", 0, 1e9}: "the waiter is granted the lock of a dead holder"},
	"server restart": {
		{overlap, 0, 0}: "two never hold at once", {never, 0, 0}: "a waiter has an answer",
	},
	"connection resets": {
		{overlap, 0, 0}: "two never hold at once", {never, 0, 0}: "a waiter has an answer",
	},
	"cancelled acquires": {
		{"keys left", 0, 0}: "nothing is left in the store", {"goroutines left", 0, 0}: "nothing is left in the process",
		{"next ms", 0, ms(busyTTL) - 2000}: "nothing is held until the time to live is over",
	},
	"order": {{"pairs turned", 0, 0}: "processes that ask in turn are served in turn"},
}

func TestOursDoesAsPromisedUnderEveryFault(t *testing.T) {
	outs, err := harness.Run(t.Context(), []harness.Suite{Suite()}, harness.Options{Rounds: 1, Quick: true, Progress: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if len(outs) == 1 && outs[0].Case.Name == "open" && os.Getenv("CI") == "" {
		t.Skipf("NOTHING is tested here: %v", outs[0].Err)
	}
	if len(outs) != len(promises) {
		t.Errorf("%d cases, %d with promises", len(outs), len(promises))
	}
	for _, o := range outs {
		if o.Err != nil {
			t.Errorf("%s: %v", o.Case.Name, o.Err)
			continue
		}
		for _, library := range libraries[:ours] {
			for p, means := range promises[o.Case.Name] {
				x, ok := o.Rounds[0][library][p.figure]
				if !ok || x < p.least || x > p.most {
					t.Errorf("%s, %s: %q is %v (measured: %v), want %g to %g: %s; all figures: %v",
						o.Case.Name, library, p.figure, x, ok, p.least, p.most, means, o.Rounds[0][library])
				}
			}
		}
	}
}

func TestASurvivalIsToldFromALoss(t *testing.T) {
	for _, c := range []struct {
		m    harness.Metrics
		want string
	}{
		{harness.Metrics{"pairs": 5, lives: 5, "wait ms": 2}, "yes; granted 2.0 ms later"},
		{harness.Metrics{"pairs": 5, lives: 3, "wait ms": 2, overlap: 1500}, "no: 2 of 5 leases are lost, two holders for 1.5 s; granted 2.0 ms later"},
		{harness.Metrics{"pairs": 5, lives: 5, refused: 4}, "yes; 4 of 5 waiters get an error"},
		{harness.Metrics{"pairs": 5, lives: 5, never: 1}, "yes; 1 of 5 waiters are never granted it"},
	} {
		if got := survival(c.m); got != c.want {
			t.Errorf("%v: %q, want %q", c.m, got, c.want)
		}
	}
}
