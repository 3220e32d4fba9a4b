// Package smoke runs a suite of benchmarks once, briefly, so that it stays alive.
package smoke

import (
	"io"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// Test runs one short round of every case and fails when a workload does, when a figure that is checked is not
// measured, or when a case has no name or says nothing about what it models. It judges no target.
func Test(t *testing.T, s harness.Suite) {
	t.Helper()
	outs, err := harness.Run(t.Context(), []harness.Suite{s}, harness.Options{
		Rounds: 1, Duration: 5 * time.Millisecond, Quick: true, Progress: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(outs) == 0 {
		t.Error("no cases")
	}
	for _, o := range outs {
		if o.Err != nil {
			t.Errorf("%s: %v", o.Case.Name, o.Err)
			continue
		}
		if o.Case.Name == "" || o.Case.Models == "" {
			t.Errorf("case %q models %q: both must say something", o.Case.Name, o.Case.Models)
		}
		for _, c := range o.Case.Checks {
			if _, ok := o.Rounds[0][c.Ours][c.Metric]; !ok {
				t.Errorf("%s: %s of %s was not measured", o.Case.Name, c.Metric, c.Ours)
			}
			for _, b := range c.Base {
				metric := c.BaseMetric
				if metric == "" {
					metric = c.Metric
				}
				if _, ok := o.Rounds[0][b][metric]; !ok {
					t.Errorf("%s: %s of %s was not measured", o.Case.Name, metric, b)
				}
			}
		}
	}
}
