package redis

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/serverclock"
)

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
		{"the server's clock is not known", func(q *request, _ *wakeUp) { q.sample = serverclock.Sample{} }, false},
		{"the sample is too old", func(q *request, n *wakeUp) { q.sample = serverclock.New(now.Add(-time.Second), n.made) }, false},
		{"the whole time to live is needed", func(q *request, _ *wakeUp) { q.terms.brief = 0 }, false},
	} {
		q := &request{Request: backends.Request{TTL: 10 * time.Second, MinValid: 1200 * time.Millisecond}}
		q.terms, q.sample = terms{brief: 2 * time.Second, secret: 5}, serverclock.New(now, us(time.Hour))
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
