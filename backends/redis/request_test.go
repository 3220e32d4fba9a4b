package redis

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// The text of the last request is kept, and serves only a request that says the same in every part.
func TestTextOfARequestDoesNotDependOnTheLastOne(t *testing.T) {
	o, err := newOptions(nil)
	if err != nil {
		t.Fatal(err)
	}
	fresh := func() *Backend {
		b := &Backend{opt: o}
		b.pace.Store(newPace(o.heartbeat, 0))
		return b
	}
	plain := func() *request {
		return &request{Request: backends.Request{
			Resource: backends.Resource{Name: "n", Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1, TTL: 10 * time.Second,
		}}
	}
	for what, change := range map[string]func(q *request){
		"kind":     func(q *request) { q.Kind = backends.ReadWrite },
		"capacity": func(q *request) { q.Capacity = 5 },
		"weight":   func(q *request) { q.Weight = 3 },
		"tokens":   func(q *request) { q.Tokens = 7 },
		"ttl":      func(q *request) { q.TTL = 20 * time.Second },
		"quiet":    func(q *request) { q.Quiet = true },
		"tries":    func(q *request) { q.Tries = true },
		"brief":    func(q *request) { q.terms.brief = 5 * time.Second },
	} {
		changed, b := plain(), fresh()
		change(changed)
		first, second, third := b.wantText(plain()), b.wantText(changed), b.wantText(plain())
		if want := fresh().wantText(changed); second != want {
			t.Errorf("another %s after a plain request: %q, not %q", what, second, want)
		}
		if first == second || third != first {
			t.Errorf("another %s between plain requests: %q, %q, %q", what, first, second, third)
		}
	}
}
