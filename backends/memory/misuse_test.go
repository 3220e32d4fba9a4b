package memory

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/apitest"
)

// TestMisuse has a row for every exported function: nil contexts, a zero Backend, a nil one, and
// operations without a callback for their answers. The conformance suite covers requests that make
// no sense.
func TestMisuse(t *testing.T) {
	var none context.Context
	var nobody *Backend
	ctx := t.Context()
	r := backends.Request{Resource: backends.Resource{Name: "a", Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1}
	renewals := []backends.Renewal{{Grant: backends.Grant{Resource: r.Resource, Weight: 1}}}
	ask := &backends.Op{Acquire: []backends.Request{r}, Granted: func(int, backends.Grant, error) {}}
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
		bad("Backend.Close", "twice, without a context", func() any { b := New(); _ = b.Close(none); return b.Close(none) }, "<nil>"),
		bad("Backend.Start", "zero", func() any { return new(Backend).Start(ask) }, unmade),
		bad("Backend.Start", "nil receiver", func() any { return nobody.Start(ask) }, nilPointer),
		bad("Backend.Start", "nil", func() any { return New().Start(nil) }, nilPointer),
		bad("Backend.Start", "nothing to do", func() any { return New().Start(new(backends.Op)) == nil }, "true"),
		bad("Backend.Start", "nobody to answer", func() any {
			return New().Start(&backends.Op{Acquire: ask.Acquire})
		}, "panic: memory: an operation needs a callback"),
		bad("Backend.Start", "nobody to hear of the release", func() any {
			return New().Start(&backends.Op{Acquire: ask.Acquire, Granted: ask.Granted, Release: make([]backends.Grant, 1)})
		}, "panic: memory: an operation needs a callback"),
		bad("Backend.Cancel", "zero", func() any { return new(Backend).Cancel(ask) }, unmade),
		bad("Backend.Cancel", "nil receiver", func() any { return nobody.Cancel(ask) }, nilPointer),
		bad("Backend.Cancel", "nil", func() any { return New().Cancel(nil) }, nilPointer),
		bad("Backend.Cancel", "never started", func() any { return New().Cancel(ask) == nil }, "true"),
	}
	for name, call := range map[string]func(b *Backend, ctx context.Context) error{
		"Renew":   func(b *Backend, ctx context.Context) error { return b.Renew(ctx, renewals)[0].Err },
		"Inspect": func(b *Backend, ctx context.Context) error { _, err := b.Inspect(ctx, "a"); return err },
		"Break":   func(b *Backend, ctx context.Context) error { return b.Break(ctx, "a") },
		"Detach": func(b *Backend, ctx context.Context) error {
			return b.Detach(ctx, backends.Detachment{Grant: renewals[0].Grant, TTL: time.Second})
		},
		"Adopt": func(b *Backend, ctx context.Context) error {
			_, err := b.Adopt(ctx, backends.Adoption{Request: r})
			return err
		},
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
