package redis

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// world is a server and a client whose clocks show different times and drift apart; the server's may be set forward.
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

// A wake-up is never believed for longer than the server keeps the grant, however old the sample of its clock is, however long the message
// took or the client was stopped, with clocks that drift and a server's clock that is set forward by less than the margin.
func TestNoticeIsNeverBelievedForTooLong(t *testing.T) {
	believed := 0
	const rounds = 20000
	for seed := range uint64(rounds) {
		w := newWorld(seed)
		ttl := backends.MinTTL + w.span(20*time.Second)
		q := &request{Request: backends.Request{TTL: ttl, MinValid: 1 + w.span(ttl/2)}}
		q.terms = terms{brief: min(q.MinValid+w.span(2*time.Second), ttl), secret: w.Uint64()}
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
		q.sample = newSample(w.here(sent), w.there(sampled))
		n := wakeUp{token: 1, made: w.there(made), secret: q.terms.secret}
		valid, ok := q.believe(n, w.here(heard))
		if !ok {
			continue
		}
		believed++
		if valid.Sub(w.here(heard)) < q.MinValid {
			t.Fatalf("seed %d: believed with %v left, of %v needed", seed, valid.Sub(w.here(heard)), q.MinValid)
		}
		// The server ends it as soon as its clock shows this.
		end := n.made + (q.terms.brief + w.grace).Microseconds()
		at := time.Duration(float64(valid.Sub(w.base)) / w.localR)
		if w.there(at) >= end {
			t.Fatalf("seed %d: relied on until %v after its end: %+v", seed, time.Duration(w.there(at)-end)*time.Microsecond, w)
		}
	}
	if believed < rounds/10 {
		t.Errorf("%d of %d believed", believed, rounds)
	}
}

// A server's clock that was set forward between the sample and the grant cannot make the grant last longer than it was made for.
func TestNoticeAfterAClockWasSetForwardIsBelievedForItsTimeAtMost(t *testing.T) {
	now := time.Now()
	q := &request{Request: backends.Request{TTL: 10 * time.Second, MinValid: time.Second}}
	q.terms, q.sample = terms{brief: 2 * time.Second, secret: 5}, newSample(now, 1000)
	valid, ok := q.believe(wakeUp{token: 1, made: 30 * time.Second.Microseconds(), secret: 5}, now.Add(time.Second))
	if !ok || valid.After(now.Add(3*time.Second)) {
		t.Errorf("believed (%v) until %v from the sample", ok, valid.Sub(now))
	}
}

// A machine sleeps while a request waits; meanwhile its grant is made, and ends. The monotonic clock has stood still.
func TestNoticeOfAGrantThatEndedWhileTheMachineSleptIsNotBelieved(t *testing.T) {
	now := time.Now()
	q := &request{Request: backends.Request{TTL: 10 * time.Second, MinValid: 500 * time.Millisecond}}
	q.terms, q.sample = terms{brief: 2 * time.Second, secret: 5}, newSample(now, 1000)
	q.sample.wall -= time.Minute.Nanoseconds() // as if it had been a minute ago
	n := wakeUp{token: 1, made: 1000 + (30 * time.Second).Microseconds(), secret: 5}
	if valid, ok := q.believe(n, now); ok {
		t.Errorf("believed for another %v, half a minute after it was made", valid.Sub(now))
	}
	n.made = 1000 + time.Minute.Microseconds() - (500 * time.Millisecond).Microseconds() // before it woke up
	if valid, ok := q.believe(n, now); !ok || valid.Sub(now) > 1500*time.Millisecond {
		t.Errorf("half a second after it was made believed (%v) for another %v", ok, valid.Sub(now))
	}
}

func TestWhichNoticesAreBelieved(t *testing.T) {
	now := time.Now()
	us := func(d time.Duration) int64 { return d.Microseconds() }
	for _, test := range []struct {
		name   string
		change func(*request, *wakeUp)
		want   bool
	}{
		{"as it should be", func(*request, *wakeUp) {}, true},
		{"made before the sample", func(_ *request, n *wakeUp) { n.made -= us(500 * time.Millisecond) }, true},
		{"another secret", func(_ *request, n *wakeUp) { n.secret++ }, false},
		{"no token", func(_ *request, n *wakeUp) { n.token = 0 }, false},
		{"unreadable", func(_ *request, n *wakeUp) { *n = wakeUp{} }, false},
		{"older than the place in the queue", func(q *request, n *wakeUp) { q.queuedAt = n.made + 1 }, false},
		{"as old as the place in the queue", func(q *request, n *wakeUp) { q.queuedAt = n.made }, true},
		{"made long before the sample", func(_ *request, n *wakeUp) { n.made -= us(time.Second) }, false},
		{"the server's clock is not known", func(q *request, _ *wakeUp) { q.sample = sample{} }, false},
		{"the sample is too old", func(q *request, n *wakeUp) { q.sample = newSample(now.Add(-time.Second), n.made) }, false},
		{"the whole time to live is needed", func(q *request, _ *wakeUp) { q.terms.brief = 0 }, false},
	} {
		q := &request{Request: backends.Request{TTL: 10 * time.Second, MinValid: 1200 * time.Millisecond}}
		q.terms, q.sample = terms{brief: 2 * time.Second, secret: 5}, newSample(now, us(time.Hour))
		n := wakeUp{token: 1, made: us(time.Hour), secret: 5}
		test.change(q, &n)
		if _, ok := q.believe(n, now); ok != test.want {
			t.Errorf("%s: believed %v", test.name, ok)
		}
	}
}

func TestSlipsOfRequestsThatNeedTheirTime(t *testing.T) {
	o, err := newOptions(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &Backend{opt: o}
	replicated := &Backend{opt: o}
	replicated.opt.replicas = 1
	beat := o.heartbeat
	for _, test := range []struct {
		b                   *Backend
		ttl, minValid, want time.Duration
	}{
		{b, 10 * time.Second, 2667 * time.Millisecond, 2667*time.Millisecond + beat}, // the manager's defaults
		{b, 10 * time.Second, 0, 0},
		{b, 10 * time.Second, time.Millisecond, time.Millisecond + beat},
		{b, time.Second, 200 * time.Millisecond, time.Second},
		{b, time.Minute, 3 * beat, 4 * beat},
		{b, time.Minute, 3*beat + 1, 0},
		{replicated, 10 * time.Second, time.Second, 0},
	} {
		s := test.b.newTerms(backends.Request{TTL: test.ttl, MinValid: test.minValid})
		if s.brief != test.want {
			t.Errorf("TTL %v, at least %v: brief is %v, want %v", test.ttl, test.minValid, s.brief, test.want)
		}
		// Two heartbeats bring a grant whose message was lost, however little of it is needed.
		if keep, least := s.keep(o.heartbeat, test.ttl), max(test.want, min(2*beat, test.ttl)); keep != least {
			t.Errorf("TTL %v, at least %v: kept for %s, want %v", test.ttl, test.minValid, keep, least)
		}
	}
}

func FuzzParseWakeUp(f *testing.F) {
	for _, s := range []string{"1:2:3:4", "ff:1795471353868515:1795471353868515:90615aa2fe4ba8dd", "1", "1:2:3", "1:2:3:4:5", ":::", "", "1:-2:3:4", "1:9007199254740993:3:4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		seq, n, ok := parseWakeUp(s, true)
		if !ok && (seq != 0 || n != wakeUp{}) {
			t.Errorf("%q: %d, %+v", s, seq, n)
		}
		if n.made < 0 || n.made >= 1<<53 || n.token >= 1<<53 {
			t.Errorf("%q: %+v", s, n)
		}
	})
}
