package harness

import "testing"

func TestEachStepIsComparedWithTheOneBefore(t *testing.T) {
	o := Outcome{Case: Case{Checks: Steps("a", "b", "c")}, Rounds: []map[string]Metrics{
		{"a": {"least ns/op": 2}, "b": {"least ns/op": 9}, "c": {"least ns/op": 7}},
		{"a": {"least ns/op": 3}, "b": {"least ns/op": 5}, "c": {"least ns/op": 8}},
	}}
	vs := Verdicts([]Outcome{o})
	if len(vs) != 3 || vs[0].Name != "" || vs[0].Ours.Median != 2 {
		t.Fatalf("verdicts: %+v", vs)
	}
	for i, want := range map[int]float64{1: 3, 2: 2} { // of the least of all rounds
		if vs[i].Ratio.Median != want {
			t.Errorf("step %d adds %v; want %v", i, vs[i].Ratio.Median, want)
		}
	}
}
