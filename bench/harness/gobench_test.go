package harness

import (
	"strings"
	"testing"
)

func TestRoundsAreWrittenForBenchstat(t *testing.T) {
	side := func(name string) Side { return Side{Name: name} }
	outs := []Outcome{{
		Suite: "redis",
		Case:  Case{Name: "4 × 16 goroutines", Sides: []Side{side("ours"), side("bsm/redislock"), side("absent")}},
		Rounds: []map[string]Metrics{
			{"ours": {"ns/op": 12.5, "wait p50 µs": 3}, "bsm/redislock": {"ns/op": 1e6}},
			{"ours": {"ns/op": 13}},
		},
	}}
	var b strings.Builder
	if err := GoBench(&b, outs); err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(b.String(), "Benchmark")
	want := `redis/4_×_16_goroutines/ours 1 12.5 ns/op 3 wait_p50_µs
Benchmarkredis/4_×_16_goroutines/ours 1 13 ns/op
Benchmarkredis/4_×_16_goroutines/bsm:redislock 1 1e+06 ns/op
`
	if rows != want {
		t.Errorf("got %s\nwant %s", rows, want)
	}
}
