package demo

import (
	"fmt"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/history"
)

func TestChain(t *testing.T) {
	const released, died = history.Released, history.Died
	for _, c := range []struct {
		name    string
		last    count
		records []record
		grants  map[uint64]history.End
		want    Counter
		faults  bool
	}{
		{name: "nothing happened"},
		{
			name:    "in order",
			last:    count{3, 30},
			records: []record{{0, 1, 10, 0}, {0, 3, 30, 20}, {0, 2, 20, 10}},
			grants:  map[uint64]history.End{10: released, 20: released, 30: released},
			want:    Counter{Value: 3, Recorded: 3},
		},
		{
			name:    "a killed process has counted and left no record",
			last:    count{3, 30},
			records: []record{{0, 1, 10, 0}, {0, 3, 30, 20}},
			grants:  map[uint64]history.End{10: released, 20: died, 30: released},
			want:    Counter{Value: 3, Recorded: 2, Inherited: 1},
		},
		{
			name:    "a killed process was the last to count",
			last:    count{2, 20},
			records: []record{{0, 1, 10, 0}},
			grants:  map[uint64]history.End{10: released, 20: died},
			want:    Counter{Value: 2, Recorded: 1, Inherited: 1},
		},
		{
			name:    "a killed process was granted and did not count",
			last:    count{2, 30},
			records: []record{{0, 1, 10, 0}, {0, 2, 30, 10}},
			grants:  map[uint64]history.End{10: released, 20: died, 30: released},
			want:    Counter{Value: 2, Recorded: 2},
		},
		{
			name:    "an update is lost",
			last:    count{2, 30},
			records: []record{{0, 1, 10, 0}, {0, 2, 20, 10}, {0, 2, 30, 10}},
			grants:  map[uint64]history.End{10: released, 20: released, 30: released},
			want:    Counter{Value: 2, Recorded: 2}, faults: true,
		},
		{
			name:    "the last update is lost",
			last:    count{1, 10},
			records: []record{{0, 1, 10, 0}, {0, 2, 20, 10}},
			grants:  map[uint64]history.End{10: released, 20: released},
			want:    Counter{Value: 1, Recorded: 1}, faults: true,
		},
		{
			name:    "a write of nobody",
			last:    count{2, 20},
			records: []record{{0, 1, 10, 0}},
			grants:  map[uint64]history.End{10: released, 20: released},
			want:    Counter{Value: 2, Recorded: 1, Inherited: 1}, faults: true,
		},
		{
			name:    "a write under a token that was never granted",
			last:    count{1, 10},
			records: []record{{0, 1, 10, 0}},
			want:    Counter{Value: 1, Recorded: 1}, faults: true,
		},
		{
			name:    "a grant that did not count",
			last:    count{1, 10},
			records: []record{{0, 1, 10, 0}},
			grants:  map[uint64]history.End{10: released, 20: released},
			want:    Counter{Value: 1, Recorded: 1}, faults: true,
		},
	} {
		var faults []string
		chain := chain{last: c.last, records: c.records, grants: c.grants, fault: func(format string, args ...any) {
			faults = append(faults, fmt.Sprintf(format, args...))
		}}
		if got := chain.check(); got != c.want || (len(faults) > 0) != c.faults {
			t.Errorf("%s: got %+v, want %+v; faults %q", c.name, got, c.want, faults)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	v := &Verdict{History: &history.Verdict{Grants: 1}}
	for i := range 1000 {
		v.fault("%d", i)
	}
	if len(v.Faults) > 30 || v.OK() {
		t.Errorf("%d faults, OK %v", len(v.Faults), v.OK())
	}
}
