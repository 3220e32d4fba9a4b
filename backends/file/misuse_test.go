package file

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
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
		bad("Backend.Release", "no grant, no context", func() any { return b.Release(none, g) }, notHeld),
		bad("Backend.TryAcquireNow", "zero", func() any { _, ok := new(Backend).TryAcquireNow(r); return ok }, "false"),
		bad("Backend.TryAcquireNow", "nil receiver", func() any { _, ok := nobody.TryAcquireNow(r); return ok }, apitest.NilPointer),
		bad("Backend.ReleaseNow", "zero", func() any { ok, _ := new(Backend).ReleaseNow(g); return ok }, "false"),
		bad("Backend.ReleaseNow", "nil receiver", func() any { ok, _ := nobody.ReleaseNow(g); return ok }, apitest.NilPointer),
		bad("Backend.Release", "zero", func() any { return new(Backend).Release(ctx, g) }, unmade),
		bad("Backend.Release", "nil receiver", func() any { return nobody.Release(ctx, g) }, apitest.NilPointer),
	}
	repair := "error: file: check: " + nilContext
	if !repairs {
		repair = "error: file: check " + dir
	}
	rows = append(rows, bad("Repair", "nil context", func() any { _, _, err := Repair(none, dir, 0); return err }, repair))
	for name, call := range map[string]func(b *Backend, ctx context.Context) error{
		"Acquire":    func(b *Backend, ctx context.Context) error { _, err := b.Acquire(ctx, r); return err },
		"TryAcquire": func(b *Backend, ctx context.Context) error { _, err := b.TryAcquire(ctx, r); return err },
		"Renew": func(b *Backend, ctx context.Context) error {
			return b.Renew(ctx, []backends.Renewal{{Grant: g}})[0].Err
		},
		"Inspect": func(b *Backend, ctx context.Context) error { _, err := b.Inspect(ctx, "a"); return err },
		"Break":   func(b *Backend, ctx context.Context) error { return b.Break(ctx, "a") },
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
