package history_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/history"
)

// hold makes an event: who holds how much, with which token, from when to when, asked when.
func hold(holder string, weight, capacity int64, token uint64, asked, from, to int64) history.Event {
	return history.Event{
		Grant:   history.Grant{Name: "db", Capacity: capacity, Weight: weight, Token: token, Holder: holder, Asked: asked},
		Process: "p", From: from, To: to, End: history.Released,
	}
}

func TestSeededFaultsAreFound(t *testing.T) {
	tests := []struct {
		name   string
		events []history.Event
		want   any // the type of the only violation; nil: there is none
	}{
		{"mutex handed on", []history.Event{
			hold("a", 1, 1, 1, 1, 10, 20), hold("b", 1, 1, 2, 2, 20, 30), hold("a", 1, 1, 5, 25, 31, 40),
		}, nil},
		{"two holders of a mutex", []history.Event{
			hold("a", 1, 1, 1, 1, 10, 20), hold("b", 1, 1, 2, 2, 19, 30),
		}, &history.Overlap{}},
		{"a holder that never ended", []history.Event{
			hold("a", 1, 1, 1, 1, 10, 1<<62), hold("b", 1, 1, 2, 2, 100, 130),
		}, &history.Overlap{}},
		{"one hold within another", []history.Event{
			hold("a", 1, 1, 1, 1, 10, 100), hold("b", 1, 1, 2, 2, 20, 30),
		}, &history.Overlap{}},
		{"three permits of two", []history.Event{
			hold("a", 1, 2, 1, 1, 10, 100), hold("b", 1, 2, 2, 1, 11, 90), hold("c", 1, 2, 3, 1, 12, 80),
		}, &history.Overlap{}},
		{"weights beyond the capacity", []history.Event{
			hold("a", 2, 3, 1, 1, 10, 100), hold("b", 2, 3, 2, 1, 11, 90),
		}, &history.Overlap{}},
		{"a full semaphore", []history.Event{
			hold("a", 2, 3, 1, 1, 10, 100), hold("b", 1, 3, 2, 1, 11, 90), hold("c", 1, 3, 3, 1, 90, 99),
		}, nil},
		{"the token goes back", []history.Event{
			hold("a", 1, 1, 7, 1, 10, 20), hold("b", 1, 1, 6, 2, 21, 30),
		}, &history.Regression{}},
		{"the token goes back much later", []history.Event{
			hold("a", 1, 1, 7, 1, 10, 20), hold("b", 1, 1, 8, 2, 21, 30), hold("c", 1, 1, 9, 2, 31, 40),
			hold("d", 1, 1, 5, 41, 42, 43),
		}, &history.Regression{}},
		{"the token goes back, calls unknown", []history.Event{
			hold("a", 1, 1, 7, 0, 10, 20), hold("b", 1, 1, 6, 0, 21, 30),
		}, &history.Regression{}},
		{"a reader's token is smaller than that of one who held when it asked", []history.Event{
			hold("a", 1, 9, 7, 1, 10, 50), hold("b", 1, 9, 6, 11, 21, 30),
		}, &history.Regression{}},
		{"a reader's reply is overtaken", []history.Event{
			hold("a", 1, 9, 7, 1, 10, 50), hold("b", 1, 9, 6, 9, 21, 30),
		}, nil},
		{"a reader's reply comes when the other has gone", []history.Event{
			hold("a", 1, 9, 7, 1, 10, 15), hold("b", 1, 9, 6, 9, 21, 30),
		}, nil},
		{"a writer's token is smaller than a reader's before", []history.Event{
			hold("a", 1, 9, 7, 1, 10, 15), hold("b", 9, 9, 6, 9, 21, 30),
		}, &history.Regression{}},
		{"a reader's token is smaller than a writer's before", []history.Event{
			hold("a", 9, 9, 7, 1, 10, 15), hold("b", 1, 9, 6, 9, 21, 30),
		}, &history.Regression{}},
		{"a token used twice", []history.Event{
			hold("a", 1, 1, 7, 1, 10, 20), hold("b", 1, 1, 7, 2, 21, 30),
		}, &history.Reuse{}},
		{"two capacities at a time", []history.Event{
			hold("a", 1, 5, 1, 1, 10, 20), hold("b", 1, 3, 2, 2, 15, 30),
		}, &history.Mismatch{}},
		{"two capacities one after the other", []history.Event{
			hold("a", 1, 5, 1, 1, 10, 20), hold("b", 1, 3, 2, 2, 21, 30),
		}, nil},
		{"held for no time", []history.Event{
			hold("a", 1, 1, 1, 1, 10, 30), hold("b", 1, 1, 2, 1, 20, 20), hold("c", 1, 1, 3, 1, 30, 30), hold("d", 1, 1, 4, 1, 30, 40),
		}, nil},
		{"ends before it begins", []history.Event{hold("a", 1, 1, 1, 1, 10, 9)}, &history.Malformed{}},
		{"granted before it was asked for", []history.Event{hold("a", 1, 1, 1, 11, 10, 19)}, &history.Malformed{}},
		{"no token", []history.Event{hold("a", 1, 1, 0, 1, 10, 19)}, &history.Malformed{}},
		{"no weight", []history.Event{hold("a", 0, 1, 1, 1, 10, 19)}, &history.Malformed{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rand.Shuffle(len(test.events), func(i, j int) {
				test.events[i], test.events[j] = test.events[j], test.events[i]
			})
			v := history.Check(test.events)
			if test.want == nil {
				if err := v.Err(); err != nil || !v.OK() {
					t.Errorf("a correct history is found faulty: %v", err)
				}
				return
			}
			if v.OK() || v.Err() == nil {
				t.Fatal("the fault was not found")
			}
			for _, err := range v.Violations {
				if got, want := fmt.Sprintf("%T", err), fmt.Sprintf("%T", test.want); got != want {
					t.Errorf("found %v; want only a %s", err, want)
				}
			}
		})
	}
}

func TestNamesAreChecksOfTheirOwn(t *testing.T) {
	a, b := hold("a", 1, 1, 7, 1, 10, 20), hold("b", 1, 1, 7, 1, 10, 20)
	b.Name = "other"
	if v := history.Check([]history.Event{a, b}); !v.OK() || v.Names != 2 {
		t.Errorf("Check = %v, %v", v, v.Err())
	}
}

func TestNoGrantsProveNothing(t *testing.T) {
	if v := history.Check(nil); v.OK() || v.Err() == nil {
		t.Errorf("an empty history was found correct: %v", v)
	}
}

// simulate is a store with a clock that counts steps, some of which reorder what is seen of them.
func simulate(rng *rand.Rand, n int) []history.Event {
	const capacity = 4
	var events []history.Event
	var now, used int64
	var token uint64
	holding := make(map[int]bool)
	end := func(i int) {
		now++
		events[i].To = now
		used -= events[i].Weight
		delete(holding, i)
	}
	for len(events) < n {
		weight := 1 + rng.Int64N(capacity)
		asked := now + 1
		for now += 1 + rng.Int64N(3); used+weight > capacity; {
			for i := range holding {
				end(i)
				break
			}
		}
		token += 1 + rng.Uint64N(3)
		used += weight
		holding[len(events)] = true
		events = append(events, hold(fmt.Sprint(rng.IntN(5)), weight, capacity, token, asked, now+1, 1<<60))
		now += rng.Int64N(3) // the next may be granted before this one has returned
	}
	for i := range holding {
		end(i)
	}
	return events
}

func TestRandomHistories(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		events := simulate(rng, 100)
		if err := history.Check(events).Err(); err != nil {
			t.Fatalf("seed %d: a correct history is found faulty: %v", seed, err)
		}
		faulty := slices.Clone(events)
		i := 1 + rng.IntN(len(faulty)-1)
		for faulty[i].To == faulty[i].From { // held for no time: nothing can overlap it
			i = 1 + rng.IntN(len(faulty)-1)
		}
		var want *int
		v := &history.Verdict{}
		switch rng.IntN(2) {
		case 0: // one whole holder too many, in the middle of another's time
			faulty = append(faulty, hold("x", 4, 4, 1<<40, 0, faulty[i].From, faulty[i].To))
			v = history.Check(faulty)
			want = &v.Overlaps
		case 1: // one that gets a token from the past
			at := faulty[len(faulty)-1].From + 1<<50
			faulty = append(faulty, hold("x", 1, 4, faulty[i-1].Token, at, at+1, at+2))
			v = history.Check(faulty)
			want = &v.Regressions
		}
		if *want == 0 {
			t.Fatalf("seed %d: the fault was not found: %v", seed, v)
		}
	}
}

func TestAllAreCountedAFewAreListed(t *testing.T) {
	var events []history.Event
	for i := range 1000 {
		events = append(events, hold("a", 1, 1, uint64(1+i), 1, int64(10+i), 1<<40))
	}
	v := history.Check(events)
	if v.Overlaps != 999 || len(v.Violations) > 20 {
		t.Errorf("%d overlaps, %d listed; want 999 and a few", v.Overlaps, len(v.Violations))
	}
	var o *history.Overlap
	if !errors.As(v.Err(), &o) || o.Used != 2 || len(o.Holders) != 2 {
		t.Errorf("the first overlap is %+v", o)
	}
}

func BenchmarkCheck(b *testing.B) {
	events := simulate(rand.New(rand.NewPCG(1, 2)), 100_000)
	b.ReportAllocs()
	for b.Loop() {
		if v := history.Check(events); !v.OK() {
			b.Fatal(v.Err())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
}
