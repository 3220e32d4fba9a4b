package backends_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

var (
	expiring = backends.Capabilities{Expiry: true}
	lasting  = backends.Capabilities{}
)

func request(change func(*backends.Request)) backends.Request {
	r := backends.Request{
		Resource: backends.Resource{Name: "db", Kind: backends.Semaphore, Capacity: 3},
		Weight:   1, Tokens: 1, TTL: time.Second,
	}
	change(&r)
	return r
}

func TestRequestCheck(t *testing.T) {
	tests := []struct {
		what  string
		r     backends.Request
		field string // of the *InvalidError; "": valid
	}{
		{"plain", request(func(*backends.Request) {}), ""},
		{"the longest name", request(func(r *backends.Request) { r.Name = strings.Repeat("\x00", backends.MaxName) }), ""},
		{"an empty name", request(func(r *backends.Request) { r.Name = "" }), "name"},
		{"a name one too long", request(func(r *backends.Request) { r.Name = strings.Repeat("x", backends.MaxName+1) }), "name"},
		{"a mutex", request(func(r *backends.Request) { r.Kind, r.Capacity = backends.Mutex, 1 }), ""},
		{"a mutex of two", request(func(r *backends.Request) { r.Kind, r.Capacity = backends.Mutex, 2 }), "capacity"},
		{"a writer", request(func(r *backends.Request) {
			r.Kind, r.Capacity, r.Weight = backends.ReadWrite, backends.ReadWriteCapacity, backends.ReadWriteCapacity
		}), ""},
		{"a small reader-writer lock", request(func(r *backends.Request) { r.Kind, r.Capacity = backends.ReadWrite, 7 }), "capacity"},
		{"no kind", request(func(r *backends.Request) { r.Kind = 0 }), "kind"},
		{"a strange kind", request(func(r *backends.Request) { r.Kind = 4 }), "kind"},
		{"no capacity", request(func(r *backends.Request) { r.Capacity = 0 }), "capacity"},
		{"the largest capacity", request(func(r *backends.Request) { r.Capacity = backends.MaxCapacity }), ""},
		{"a capacity one too large", request(func(r *backends.Request) { r.Capacity = backends.MaxCapacity + 1 }), "capacity"},
		{"no weight", request(func(r *backends.Request) { r.Weight = 0 }), "weight"},
		{"all of it", request(func(r *backends.Request) { r.Weight = 3 }), ""},
		{"a block for all of it", request(func(r *backends.Request) { r.Weight, r.Tokens = 3, backends.MaxTokens }), ""},
		{"a block one too large", request(func(r *backends.Request) { r.Weight, r.Tokens = 3, backends.MaxTokens+1 }), "tokens"},
		{"a block for a part", request(func(r *backends.Request) { r.Weight, r.Tokens = 2, 2 }), "tokens"},
		{"no tokens", request(func(r *backends.Request) { r.Tokens = 0 }), "tokens"},
		{"the shortest ttl", request(func(r *backends.Request) { r.TTL = backends.MinTTL }), ""},
		{"a ttl too short", request(func(r *backends.Request) { r.TTL = backends.MinTTL - 1 }), "ttl"},
		{"the longest ttl", request(func(r *backends.Request) { r.TTL = backends.MaxTTL }), ""},
		{"a ttl too long", request(func(r *backends.Request) { r.TTL = 1<<63 - 1 }), "ttl"},
		{"half of the ttl will do", request(func(r *backends.Request) { r.MinValid = r.TTL / 2 }), ""},
		{"more than half is needed", request(func(r *backends.Request) { r.MinValid = r.TTL/2 + 1 }), "least validity"},
		{"less than nothing is needed", request(func(r *backends.Request) { r.MinValid = -1 }), "least validity"},
		{"a negative ttl", request(func(r *backends.Request) { r.TTL = -time.Second }), "ttl"},
		{"a long label", request(func(r *backends.Request) { r.Owner.Label = strings.Repeat("x", backends.MaxName+1) }), "owner"},
		{"a long host", request(func(r *backends.Request) { r.Owner.Host = strings.Repeat("x", backends.MaxName+1) }), "owner"},
	}
	for _, test := range tests {
		err := test.r.Check(expiring)
		var invalid *backends.InvalidError
		switch {
		case test.field == "":
			if err != nil {
				t.Errorf("%s: %v", test.what, err)
			}
		case !errors.As(err, &invalid) || invalid.Field != test.field:
			t.Errorf("%s: %v; want an invalid %s", test.what, err, test.field)
		case errors.Is(err, backends.ErrInvalidName) != (test.field == "name"):
			t.Errorf("%s: %v is ErrInvalidName: %v", test.what, err, errors.Is(err, backends.ErrInvalidName))
		}
	}
	if err := request(func(r *backends.Request) { r.Weight = 4 }).Check(lasting); !errors.Is(err, backends.ErrTooLarge) {
		t.Errorf("four of three: %v; want ErrTooLarge", err)
	}
	keeps := request(func(r *backends.Request) { r.AtLeast = 1 })
	if err := keeps.Check(lasting); !errors.Is(err, backends.ErrUnsupported) {
		t.Errorf("a store that keeps nothing: %v; want ErrUnsupported", err)
	}
	if err := keeps.Check(backends.Capabilities{AtLeast: true}); err != nil {
		t.Error(err)
	}
	if err := request(func(r *backends.Request) { r.TTL = -1 }).Check(lasting); err != nil {
		t.Errorf("a ttl where nothing expires: %v; want it ignored", err)
	}
}

func TestRenewalCheck(t *testing.T) {
	grant := func(weight int64) backends.Grant {
		return backends.Grant{Resource: backends.Resource{Name: "db", Kind: backends.Semaphore, Capacity: 3}, Weight: weight}
	}
	tests := []struct {
		what string
		rn   backends.Renewal
		ok   bool
	}{
		{"no tokens", backends.Renewal{Grant: grant(1), TTL: time.Second}, true},
		{"tokens for all of it", backends.Renewal{Grant: grant(3), TTL: time.Second, Tokens: backends.MaxTokens}, true},
		{"tokens for a part", backends.Renewal{Grant: grant(1), TTL: time.Second, Tokens: 1}, false},
		{"too many", backends.Renewal{Grant: grant(3), TTL: time.Second, Tokens: backends.MaxTokens + 1}, false},
		{"negative", backends.Renewal{Grant: grant(3), TTL: time.Second, Tokens: -1}, false},
		{"no ttl", backends.Renewal{Grant: grant(3)}, false},
		{"no grant", backends.Renewal{TTL: time.Second}, false},
	}
	for _, test := range tests {
		if err := test.rn.Check(expiring); (err == nil) != test.ok || err != nil && !errors.Is(err, backends.ErrInvalid) {
			t.Errorf("%s: %v; valid: %v", test.what, err, test.ok)
		}
	}
	if err := (backends.Renewal{Grant: grant(3)}).Check(lasting); err != nil {
		t.Errorf("no ttl where nothing expires: %v", err)
	}
}

// FuzzCheck states what a request that passes can be relied on for.
func FuzzCheck(f *testing.F) {
	f.Add("db", uint8(1), int64(1), int64(1), 1, int64(time.Second), "label", true)
	f.Add("\x00", uint8(2), int64(1)<<30, int64(1)<<30, 1<<16, int64(-1), "", false)
	f.Add("", uint8(3), int64(1)<<62, int64(-1), -1, int64(1)<<62, strings.Repeat("x", 2000), true)
	f.Fuzz(func(t *testing.T, name string, kind uint8, capacity, weight int64, tokens int, ttl int64, label string, expires bool) {
		r := backends.Request{
			Resource: backends.Resource{Name: name, Kind: backends.Kind(kind), Capacity: capacity},
			Weight:   weight, Tokens: tokens, TTL: time.Duration(ttl), Owner: backends.Owner{Label: label},
		}
		err := r.Check(backends.Capabilities{Expiry: expires})
		if err != nil {
			if !errors.Is(err, backends.ErrInvalid) && !errors.Is(err, backends.ErrTooLarge) {
				t.Errorf("%v wraps neither ErrInvalid nor ErrTooLarge", err)
			}
			if len(err.Error()) > 2000 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
			return
		}
		switch {
		case len(name) < 1 || len(name) > backends.MaxName || len(label) > backends.MaxName:
			t.Error("a name or label of a length out of range passed")
		case weight < 1 || weight > capacity || capacity > backends.MaxCapacity:
			t.Errorf("%d of %d permits passed", weight, capacity)
		case tokens < 1 || tokens > backends.MaxTokens || tokens > 1 && weight != capacity:
			t.Errorf("%d tokens for %d of %d permits passed", tokens, weight, capacity)
		case expires && (r.TTL < backends.MinTTL || r.TTL > backends.MaxTTL):
			t.Errorf("a ttl of %v passed", r.TTL)
		case kind == uint8(backends.Mutex) && capacity != 1, kind == uint8(backends.ReadWrite) && capacity != backends.ReadWriteCapacity:
			t.Errorf("a %v of %d passed", r.Kind, capacity)
		case kind == 0 || kind > uint8(backends.Semaphore):
			t.Errorf("kind %d passed", kind)
		}
	})
}

func TestStrings(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{backends.Mutex.String(), "mutex"},
		{backends.ReadWrite.String(), "rwlock"},
		{backends.Semaphore.String(), "semaphore"},
		{backends.Kind(0).String(), "Kind(0)"},
		{backends.Contended.String(), "contended"},
		{backends.Lost.String(), "lost"},
		{backends.Requeued.String(), "requeued"},
		{backends.EventType(9).String(), "EventType(9)"},
		{backends.GrantID{Client: 0xab, Seq: 31}.String(), "00000000000000ab-1f"},
		{backends.Owner{Host: "h", PID: 7}.String(), "pid 7 on h"},
		{backends.Owner{Host: "h", PID: 7, Label: "job"}.String(), "pid 7 on h (job)"},
	} {
		if test.got != test.want {
			t.Errorf("String = %q; want %q", test.got, test.want)
		}
	}
}
