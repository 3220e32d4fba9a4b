package backendtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

var input = []Clause{
	{
		Name:  "Input/InvalidRequests",
		Text:  "a request that makes no sense is refused with a typed error, and nothing changes",
		check: invalidRequests,
	},
	{
		Name:  "Input/InvalidRenewals",
		Text:  "a renewal that makes no sense is refused with a typed error; the grant stays as it was",
		check: invalidRenewals,
	},
	{
		Name:  "Input/NilContexts",
		Text:  "a nil context is refused with ErrInvalid and changes nothing",
		check: nilContexts,
	},
	{
		Name:  "Input/InvalidTTL",
		Text:  "where grants expire, a time to live that makes no sense is refused",
		needs: needsExpiry,
		check: invalidTTL,
	},
	{
		Name:  "Input/NamesAreInjective",
		Text:  "names are any 1 to 1024 bytes, and different bytes are different names",
		check: namesInjective,
	},
	{
		Name:  "Input/OwnersAreText",
		Text:  "an owner's host and label come back as they were, whatever they contain",
		check: ownersAreText,
	},
}

func invalidRequests(s *session) {
	edit := func(f func(*backends.Request)) backends.Request {
		r := s.permits(1, 3)
		f(&r)
		return r
	}
	tests := []struct {
		what string
		r    backends.Request
		want error
	}{
		{"an empty name", edit(func(r *backends.Request) { r.Name = "" }), backends.ErrInvalidName},
		{"a long name", edit(func(r *backends.Request) { r.Name = strings.Repeat("n", backends.MaxName+1) }), backends.ErrInvalidName},
		{"a huge name", edit(func(r *backends.Request) { r.Name = strings.Repeat("n", 1<<20) }), backends.ErrInvalidName},
		{"no kind", edit(func(r *backends.Request) { r.Kind = 0 }), backends.ErrInvalid},
		{"an unknown kind", edit(func(r *backends.Request) { r.Kind = 99 }), backends.ErrInvalid},
		{"no capacity", edit(func(r *backends.Request) { r.Capacity = 0 }), backends.ErrInvalid},
		{"a negative capacity", edit(func(r *backends.Request) { r.Capacity = -1 }), backends.ErrInvalid},
		{"too large a capacity", edit(func(r *backends.Request) { r.Capacity = backends.MaxCapacity + 1 }), backends.ErrInvalid},
		{"a mutex of two", edit(func(r *backends.Request) { r.Kind, r.Capacity = backends.Mutex, 2 }), backends.ErrInvalid},
		{"an odd reader-writer lock", edit(func(r *backends.Request) { r.Kind = backends.ReadWrite }), backends.ErrInvalid},
		{"no weight", edit(func(r *backends.Request) { r.Weight = 0 }), backends.ErrInvalid},
		{"a negative weight", edit(func(r *backends.Request) { r.Weight = -1 }), backends.ErrInvalid},
		{"more than the capacity", edit(func(r *backends.Request) { r.Weight = 4 }), backends.ErrTooLarge},
		{"a huge weight", edit(func(r *backends.Request) { r.Weight = 1<<63 - 1 }), backends.ErrTooLarge},
		{"no tokens", edit(func(r *backends.Request) { r.Tokens = 0 }), backends.ErrInvalid},
		{"negative tokens", edit(func(r *backends.Request) { r.Tokens = -1 }), backends.ErrInvalid},
		{"a block for a shared grant", edit(func(r *backends.Request) { r.Tokens = 2 }), backends.ErrInvalid},
		{"too large a block", edit(func(r *backends.Request) { r.Weight, r.Tokens = 3, backends.MaxTokens+1 }), backends.ErrInvalid},
		{"a long label", edit(func(r *backends.Request) { r.Owner.Label = strings.Repeat("l", backends.MaxName+1) }), backends.ErrInvalid},
		{"a negative time to hold at least", edit(func(r *backends.Request) { r.AtLeast = -1 }), backends.ErrInvalid},
		{"too long a time to hold at least", edit(func(r *backends.Request) { r.AtLeast = backends.MaxAtLeast + 1 }), backends.ErrInvalid},
		{"a long host", edit(func(r *backends.Request) { r.Owner.Host = strings.Repeat("h", backends.MaxName+1) }), backends.ErrInvalid},
	}
	if !s.caps.AtLeast {
		s.refused(s.b, edit(func(r *backends.Request) { r.AtLeast = 1 }), backends.ErrUnsupported)
	}
	for _, test := range tests {
		s.Log(test.what)
		s.refused(s.b, test.r, test.want)
	}
	for _, name := range []string{"", strings.Repeat("n", backends.MaxName+1)} {
		if _, err := s.b.Inspect(s.ctx, name); !errors.Is(err, backends.ErrInvalidName) {
			s.Errorf("Inspect of a name of %d bytes: %v; want ErrInvalidName", len(name), err)
		}
		if err := s.b.Break(s.ctx, name); s.caps.Break && !errors.Is(err, backends.ErrInvalidName) {
			s.Errorf("Break of a name of %d bytes: %v; want ErrInvalidName", len(name), err)
		}
	}
	for state, err := range s.b.List(s.ctx) {
		s.Errorf("List: %+v, %v; want nothing", state, err)
	}
}

func invalidRenewals(s *session) {
	shared, whole := s.acquire(s.b, s.permits(1, 3)), s.mutex()
	whole.Name += "/whole"
	g := s.acquire(s.b, whole)
	for _, rn := range []backends.Renewal{
		{Grant: shared, TTL: long, Tokens: 1}, // a block for a shared grant
		{Grant: g, TTL: long, Tokens: -1},
		{Grant: g, TTL: long, Tokens: backends.MaxTokens + 1},
		{TTL: long}, // no grant at all
	} {
		if a := s.renew(s.b, rn); !errors.Is(a.Err, backends.ErrInvalid) {
			s.Errorf("Renew %+v = %+v; want ErrInvalid", rn, a)
		}
	}
	for _, g := range []backends.Grant{shared, g} {
		if a := s.renew(s.b, backends.Renewal{Grant: g, TTL: long}); a.Err != nil {
			s.Errorf("Renew afterwards: %v", a.Err)
		}
		s.release(s.b, g)
	}
}

func nilContexts(s *session) {
	var none context.Context
	g := s.acquire(s.b, s.mutex())
	_, inspected := s.b.Inspect(none, s.name)
	listed := errors.New("nothing yielded")
	for _, listed = range s.b.List(none) {
	}
	refusals := map[string]error{
		"Inspect": inspected, "List": listed,
		"Renew": s.b.Renew(none, []backends.Renewal{{Grant: g, TTL: long}})[0].Err,
	}
	if s.caps.Break {
		refusals["Break"] = s.b.Break(none, s.name)
	}
	for call, err := range refusals {
		if !errors.Is(err, backends.ErrInvalid) {
			s.Errorf("%s with a nil context: %v; want ErrInvalid", call, err)
		}
	}
	s.release(s.b, g)
}

func needsExpiry(s *session) string {
	if !s.caps.Expiry {
		return "the store's grants do not expire"
	}
	return ""
}

func invalidTTL(s *session) {
	for _, ttl := range []time.Duration{0, -1, 1, backends.MinTTL - 1, backends.MaxTTL + 1, 1<<63 - 1, -1 << 63} {
		r := s.mutex()
		r.TTL = ttl
		s.refused(s.b, r, backends.ErrInvalid)
	}
	s.unused(s.name)
	g := s.acquire(s.b, s.mutex())
	if a := s.renew(s.b, backends.Renewal{Grant: g, TTL: -1}); !errors.Is(a.Err, backends.ErrInvalid) {
		s.Errorf("Renew for -1 ns = %+v; want ErrInvalid", a)
	}
	s.release(s.b, g)
}

// Names returns names that have brought an encoding down somewhere: all different, all valid.
func Names() []string {
	names := []string{
		"a", "A", "ä", "a\u0308", " ", "  ", ".", "..", "...", "../a", "/", "//", "/etc/passwd", "a/b", "a//b", "a/../b", "a\\b",
		"\x00", "\x00\x00", "a\x00b", "\n", "\r\n", "a\nb", "\t", "\x1b[31m", "\x7f", "-", "--help", "-rf", "~", "$HOME", "`id`", ";", "'", `"`,
		"%", "%%", "%s", "%00", "%2e%2e", "%2F", "+", "=", "_", ":", "::", "a:b", "a::b", "#", "@", "&", "|", "<>",
		"{", "}", "{}", "}{", "{a}", "{a}b", "a{b}c", "{{a}}", "*", "?", "[", "]", "[a]", "[a-z]", "**", "a*",
		"\xff", "\xfe", "\xc3\x28", "\xed\xa0\x80", "\ufeff", "\u202e", "\u2028", "\ufffd", "日本", "🔒",
		"CON", "nul", "com1", "a.", "a ", ".lock", ".tmp", "a.lock", "a~", "list", "0", "00", "1e3", "nil", "null", "true",
		strings.Repeat("n", 254), strings.Repeat("n", 255), strings.Repeat("n", 256),
		strings.Repeat("n", backends.MaxName), strings.Repeat("n", backends.MaxName-1) + "m",
		strings.Repeat("/", backends.MaxName), strings.Repeat("\xff", backends.MaxName), strings.Repeat("é", backends.MaxName/2),
	}
	for i := range 256 {
		names = append(names, fmt.Sprintf("byte %c ", rune('a'+i%26))+string([]byte{byte(i)}))
	}
	return names
}

func namesInjective(s *session) {
	held := make(map[string]backends.Grant)
	b := s.open()
	for _, name := range Names() {
		r := s.mutex()
		r.Name = name
		g, err := backends.TryAcquire(s.ctx, s.b, r)
		if err != nil {
			s.Fatalf("TryAcquire of the name %q while only others are held: %v", brief(name), err)
		}
		held[name] = g
	}
	for name, g := range held {
		r := s.mutex()
		r.Name = name
		s.busy(b, r)
		state := s.inspect(name)
		if state.Resource != r.Resource || len(state.Holders) != 1 || state.Holders[0].ID != g.ID {
			s.Fatalf("Inspect(%q) = %+v; want the holder %v", brief(name), state, g.ID)
		}
	}
	listed := make(map[string]int)
	for state, err := range b.List(s.ctx) {
		if err != nil {
			s.Fatalf("List: %v", err)
		}
		listed[state.Resource.Name]++
	}
	for name, g := range held {
		if listed[name] != 1 {
			s.Errorf("List has the name %q %d times", brief(name), listed[name])
		}
		delete(listed, name)
		s.release(s.b, g)
	}
	for name := range listed {
		s.Errorf("List has the name %q, which nobody uses", brief(name))
	}
}

func ownersAreText(s *session) {
	for _, text := range Names()[:80] {
		r := s.mutex()
		r.Owner = backends.Owner{Host: text, PID: 4711, Label: text + "\nlabel"}
		g := s.acquire(s.b, r)
		if state := s.inspect(s.name); len(state.Holders) != 1 || state.Holders[0].Owner != r.Owner {
			s.Errorf("Inspect: %+v; want the owner %+q", state.Holders, r.Owner)
		}
		s.release(s.b, g)
	}
}

func brief(name string) string {
	if len(name) > 40 {
		return fmt.Sprintf("%s… (%d bytes)", name[:40], len(name))
	}
	return name
}
