package manager

import (
	"os"
	"testing"
)

// Graphs that random play rarely reaches: many waits of one owner, several parts partly granted,
// requests that come between the parts of another one, refusals that are still on their way. Keepers
// are plain queues here; what is granted, and when, the reference decides. LOCKKEEPER_LONG=1 takes
// 100 000 graphs.
func TestExaminationAgreesWithAllOrdersOfReleases(t *testing.T) {
	told, others, graphs := 0, 0, 1500
	if testing.Short() || raceEnabled {
		graphs = 300
	}
	if os.Getenv("LOCKKEEPER_LONG") != "" {
		graphs = 100_000
	}
	for seed := range uint64(graphs) {
		x := newSketch(t, seed)
		for range 10 {
			x.step()
		}
		for _, w := range x.g.waits() {
			if !x.g.canEnd(w) {
				t.Fatalf("seed %d: a wait for %s can never end, and was not refused", seed, w.items[0].k.name)
			}
		}
		told, others = told+x.told, others+x.others
	}
	if told < graphs/2 || others == 0 {
		t.Errorf("%d deadlocks, %d between the parts of an All: too few to mean anything", told, others)
	}
}
