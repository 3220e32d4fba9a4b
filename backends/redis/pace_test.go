package redis

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// Whatever the numbers of names and the server's speed, a client looks at no more names than its
// share of the server allows, and what a script noted at one pace outlives the period of the next.
func TestPaceKeepsToItsShareAndClientsAlive(t *testing.T) {
	const beat = 950 * time.Millisecond
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := &Backend{opt: options{heartbeat: beat}}
		b.pace.Store(newPace(beat, 0))
		cl := &client{b: b}
		for range 50 {
			names, before := r.IntN(1<<r.IntN(20)), b.pace.Load()
			for range 12 { // as many heartbeats as it takes to get there
				old := b.pace.Load()
				cl.setPace(names, r.IntN(40) == 0)
				now := b.pace.Load()
				alive, err := strconv.ParseInt(old.alive.(string), 10, 64)
				if err != nil || time.Duration(alive+2)*time.Microsecond < 2*now.period {
					t.Fatalf("seed %d: noted as alive for %v µs, %v, and the next heartbeat comes in %v", seed, alive, err, now.period)
				}
				if now.period < beat {
					t.Fatalf("seed %d: period %v", seed, now.period)
				}
			}
			after := b.pace.Load()
			if share := time.Duration(names) * nameTime; after.period < share {
				t.Fatalf("seed %d: %d names each %v, after %v", seed, names, after.period, before.period)
			}
		}
	}
}

// The second within which a lost message is noticed holds up to 4 750 names.
func TestPaceOfAFewNamesIsTheHeartbeat(t *testing.T) {
	b := &Backend{opt: options{heartbeat: 950 * time.Millisecond}}
	b.pace.Store(newPace(b.opt.heartbeat, 0))
	cl := &client{b: b}
	for _, names := range []int{1, 1000, 4_750} {
		cl.setPace(names, false)
		if p := b.pace.Load().period; p != b.opt.heartbeat {
			t.Errorf("%d names each %v", names, p)
		}
	}
}
