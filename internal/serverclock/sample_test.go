package serverclock

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// world is a server and a client whose clocks show different times and drift apart; the server's may
// be set forward.
type world struct {
	*rand.Rand
	base         time.Time
	server       int64   // what the server's clock shows at the beginning
	localR, farR float64 // how fast the clocks run
	step         time.Duration
	stepAt       time.Duration // of true time
	grace        time.Duration
}

func newWorld(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 7))
	drift := func() float64 { return 1 + (r.Float64()-0.5)/1000 } // 500 ppm either way
	return &world{
		Rand: r, base: time.Now(), server: 1_700_000_000_000_000 + r.Int64N(1e12), localR: drift(), farR: drift(),
		grace: time.Duration(r.IntN(50)) * time.Millisecond, stepAt: 1 << 62,
	}
}

func (w *world) span(most time.Duration) time.Duration { return time.Duration(w.Int64N(int64(most))) }

// here and there are what the clocks show at a moment of true time.
func (w *world) here(at time.Duration) time.Time {
	return w.base.Add(time.Duration(float64(at) * w.localR))
}

func (w *world) there(at time.Duration) int64 {
	d := time.Duration(float64(at) * w.farR)
	if at >= w.stepAt {
		d += w.step
	}
	return w.server + d.Microseconds()
}

// A grant is never relied on for longer than the server keeps it, however old the sample of its clock
// is, however long the message took or the client was stopped, with clocks that drift and a server's
// clock that is set forward by less than the margin.
func TestAGrantIsNeverReliedOnForTooLong(t *testing.T) {
	useful := 0
	const rounds = 20000
	for seed := range uint64(rounds) {
		w := newWorld(seed)
		ttl := backends.MinTTL + w.span(20*time.Second)
		least := 1 + w.span(ttl/2)
		brief := min(least+w.span(2*time.Second), ttl)
		sent := w.span(time.Second)
		sampled := sent + w.span(50*time.Millisecond)
		made := sent + w.span(2*time.Second) // before the sample was taken, or after
		if w.IntN(4) == 0 {
			made += w.span(time.Hour) // heartbeats have failed for long
		}
		heard := max(made, sampled) + w.span(20*time.Millisecond)
		if w.IntN(4) == 0 {
			heard += w.span(10 * time.Second) // stopped
		}
		w.step = w.span(ttl/200 + w.grace) // half the margin is for the drift
		w.stepAt = w.span(heard + ttl)
		valid := New(w.here(sent), w.there(sampled)).ValidUntil(w.there(made), brief, ttl, w.here(heard))
		if valid.Sub(w.here(heard)) < least {
			continue
		}
		useful++
		// The server ends it as soon as its clock shows this.
		end := w.there(made) + (brief + w.grace).Microseconds()
		at := time.Duration(float64(valid.Sub(w.base)) / w.localR)
		if w.there(at) >= end {
			t.Fatalf("seed %d: relied on until %v after its end: %+v", seed, time.Duration(w.there(at)-end)*time.Microsecond, w)
		}
	}
	if useful < rounds/10 {
		t.Errorf("%d of %d were of use", useful, rounds)
	}
}

// A server's clock that was set forward between the sample and the grant cannot make the grant last
// longer than it was made for.
func TestAClockThatWasSetForwardProlongsNothing(t *testing.T) {
	now := time.Now()
	valid := New(now, 1000).ValidUntil(30*time.Second.Microseconds(), 2*time.Second, 10*time.Second, now.Add(time.Second))
	if valid.After(now.Add(3*time.Second)) || valid.Before(now.Add(2*time.Second)) {
		t.Errorf("valid until %v from the sample", valid.Sub(now))
	}
}

// A machine sleeps while a request waits; meanwhile its grant is made, and ends. The monotonic clock
// has stood still.
func TestAGrantThatEndedWhileTheMachineSleptIsOver(t *testing.T) {
	now := time.Now()
	s := New(now, 1000)
	s.wall -= time.Minute.Nanoseconds() // as if it had been a minute ago
	left := func(made int64) time.Duration { return s.ValidUntil(made, 2*time.Second, 10*time.Second, now).Sub(now) }
	if d := left(1000 + (30 * time.Second).Microseconds()); d > 0 {
		t.Errorf("valid for another %v, half a minute after it was made", d)
	}
	d := left(1000 + time.Minute.Microseconds() - (500 * time.Millisecond).Microseconds()) // before it woke up
	if d < 500*time.Millisecond || d > 1500*time.Millisecond {
		t.Errorf("half a second after it was made valid for another %v", d)
	}
}
