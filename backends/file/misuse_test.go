package file

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
	"github.com/lockkeeper/lockkeeper/internal/apitest"
)

// TestMisuse has a row for every exported function: nil contexts, a zero Backend, and a nil one.
// TestNilAndZero and the conformance suite cover other arguments.
func TestMisuse(t *testing.T) {
	var none context.Context
	var nobody *Backend
	ctx, dir := t.Context(), t.TempDir()+"/locks"
	b := open(t, dir)
	r := mutex("a")
	g := backends.Grant{Resource: r.Resource, Weight: 1}
	const (
		unmade     = "panic: file: use of a zero Backend: make it with New"
		notHeld    = `error: file: release: lease on "a" (token 0) lost: not-owner`
		nilContext = "invalid context <nil>"
	)
	bad := func(name, which string, call func() any, want string) apitest.Row {
		return apitest.Row{Name: name, Case: which, Call: call, Want: want}
	}
	refusal := func(err error) any {
		if errors.Is(err, backends.ErrInvalid) && strings.Contains(err.Error(), "invalid context <nil>") {
			return "refused"
		}
		return err
	}
	rows := []apitest.Row{
		bad("New", "no directory", func() any { _, err := New(""); return err }, `error: file: invalid directory ""`),
		bad("WithSync", "for New", func() any { return WithSync() != nil }, "true"),
		bad("WithAnyFileSystem", "for New", func() any { return WithAnyFileSystem() != nil }, "true"),
		bad("Check", "nil context", func() any { _, err := Check(none, dir, time.Hour); return err }, "error: file: check: "+nilContext),
		bad("Inspect", "nil context", func() any { _, err := Inspect(none, dir, "a"); return err }, "error: file: inspect: "+nilContext),
		bad("List", "nil context", func() any {
			for _, err := range List(none, dir) {
				return err
			}
			return "nothing yielded"
		}, "error: file: list: "+nilContext),
		bad("Backend.Capabilities", "zero", func() any { return new(Backend).Capabilities().Name }, "file"),
		bad("Backend.Start", "zero", func() any { return new(Backend).Start(&backends.Op{}) }, unmade),
		bad("Backend.Start", "nothing to do", func() any { return b.Start(&backends.Op{}) == nil }, "true"),
		bad("Backend.Start", "nobody to answer", func() any { return b.Start(&backends.Op{Acquire: make([]backends.Request, 1)}) },
			"panic: file: an operation needs a callback"),
		bad("Backend.Cancel", "zero", func() any { return new(Backend).Cancel(&backends.Op{}) }, unmade),
		bad("Backend.Cancel", "nil receiver", func() any { return nobody.Cancel(&backends.Op{}) }, apitest.NilPointer),
		bad("Backend.Cancel", "never started", func() any { return b.Cancel(&backends.Op{}) == nil }, "true"),
		bad("Backend.Start", "no grant, no context", func() any { return backends.Release(none, b, g) }, notHeld),
		bad("Backend.Start", "release, zero", func() any { return backends.Release(ctx, new(Backend), g) }, unmade),
		bad("Backend.Start", "release, nil receiver", func() any { return backends.Release(ctx, nobody, g) }, apitest.NilPointer),
	}
	repair := "error: file: check: " + nilContext
	if !lockdir.Repairs {
		repair = "error: file: check " + dir
	}
	rows = append(rows, bad("Repair", "nil context", func() any { _, _, err := Repair(none, dir, 0); return err }, repair))
	for name, call := range map[string]func(b *Backend, ctx context.Context) error{
		"Start": func(b *Backend, ctx context.Context) error { _, err := backends.Acquire(ctx, b, r); return err },
		"Renew": func(b *Backend, ctx context.Context) error {
			return b.Renew(ctx, []backends.Renewal{{Grant: g}})[0].Err
		},
		"Inspect": func(b *Backend, ctx context.Context) error { _, err := b.Inspect(ctx, "a"); return err },
		"Break":   func(b *Backend, ctx context.Context) error { return b.Break(ctx, "a") },
		"Detach": func(b *Backend, ctx context.Context) error {
			return b.Detach(ctx, backends.Detachment{Grant: g, TTL: time.Second})
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
		"Check": func(b *Backend, ctx context.Context) error { _, err := b.Check(ctx); return err },
		"Close": func(b *Backend, ctx context.Context) error { return b.Close(ctx) },
	} {
		rows = append(rows,
			bad("Backend."+name, "zero", func() any { return call(new(Backend), ctx) }, unmade),
			bad("Backend."+name, "nil receiver", func() any { return call(nobody, ctx) }, apitest.NilPointer),
			bad("Backend."+name, "nil context", func() any { return refusal(call(b, none)) }, "refused"),
		)
	}
	apitest.Run(t, rows, nil)
	mustRelease(t, b, mustAcquire(t, b, r)) // a Close without a context has closed nothing
}
