package memory

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/apitest"
)

// TestMisuse has a row for every exported function: nil contexts, a zero Backend, a nil one, and
// posts without a function for their answer. The conformance suite covers requests that make no
// sense.
func TestMisuse(t *testing.T) {
	var none context.Context
	var nobody *Backend
	ctx := t.Context()
	r := backends.Request{Resource: backends.Resource{Name: "a", Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1}
	renewals := []backends.Renewal{{Grant: backends.Grant{Resource: r.Resource, Weight: 1}}}
	const (
		nilContext = "invalid context <nil>"
		nilPointer = apitest.NilPointer
		unmade     = "panic: memory: use of a zero Backend: make it with New"
	)
	rows := []apitest.Row{
		bad("New", "used at once", func() any { return New().Close(ctx) }, "<nil>"),
		bad("Backend.Peer", "zero", func() any { return new(Backend).Peer() }, unmade),
		bad("Backend.Peer", "nil receiver", func() any { return nobody.Peer() }, nilPointer),
		bad("Backend.Capabilities", "zero", func() any { return new(Backend).Capabilities().Name }, "memory"),
		bad("Backend.Release", "no grant", func() any { return New().Release(none, backends.Grant{}) },
			`error: memory: release: lease on "" (token 0) lost: not-owner`),
		bad("Backend.Close", "twice, without a context", func() any { b := New(); _ = b.Close(none); return b.Close(none) }, "<nil>"),
		bad("Backend.Post", "nobody to answer", func() any { return New().Post(backends.Post{Request: r}) }, "panic: memory: Post needs Answered"),
		bad("Backend.Post", "nobody to hear of the release", func() any {
			return New().Post(backends.Post{Request: r, After: &backends.Grant{}, Answered: func(backends.Grant, error) {}})
		}, "panic: memory: Post needs Answered, and Released"),
		bad("Backend.Post", "nil context", func() any {
			var answer error
			New().Post(backends.Post{Request: r, Answered: func(_ backends.Grant, err error) { answer = err }}).Send(none)
			return answer
		}, `error: memory: acquire "a": `+nilContext),
	}
	for name, call := range map[string]func(b *Backend, ctx context.Context) error{
		"Acquire":    func(b *Backend, ctx context.Context) error { _, err := b.Acquire(ctx, r); return err },
		"TryAcquire": func(b *Backend, ctx context.Context) error { _, err := b.TryAcquire(ctx, r); return err },
		"Renew":      func(b *Backend, ctx context.Context) error { return b.Renew(ctx, renewals)[0].Err },
		"Inspect":    func(b *Backend, ctx context.Context) error { _, err := b.Inspect(ctx, "a"); return err },
		"Break":      func(b *Backend, ctx context.Context) error { return b.Break(ctx, "a") },
		"List": func(b *Backend, ctx context.Context) (err error) {
			for _, err = range b.List(ctx) {
			}
			return err
		},
	} {
		rows = append(rows,
			bad("Backend."+name, "zero", func() any { return call(new(Backend), ctx) }, unmade),
			bad("Backend."+name, "nil receiver", func() any { return call(nobody, ctx) }, nilPointer),
			bad("Backend."+name, "nil context", func() any {
				if err := call(New(), none); !errors.Is(err, backends.ErrInvalid) || !strings.Contains(err.Error(), nilContext) {
					return err
				}
				return "refused"
			}, "refused"),
		)
	}
	apitest.Run(t, rows, nil)
}

// bad is a row of the table.
func bad(name, which string, call func() any, want string) apitest.Row {
	return apitest.Row{Name: name, Case: which, Call: call, Want: want}
}
