package redis_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/apitest"
)

// TestMisuse has a row for every exported function: nil contexts, a zero Backend, a nil one, and
// operations without a function for their answers. Tests of their own cover the clients that New refuses,
// and the conformance suite covers requests that make no sense.
func TestMisuse(t *testing.T) {
	var none context.Context
	var nobody *redis.Backend
	client := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	b := open(t, client)
	ctx := t.Context()
	r := backends.Request{
		Resource: backends.Resource{Name: "a", Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1, TTL: time.Second,
	}
	g := backends.Grant{Resource: r.Resource, Weight: 1}
	answers := make(chan error, 1)
	op := backends.Op{Acquire: []backends.Request{r}, Granted: func(_ int, _ backends.Grant, err error) { answers <- err }}
	const unmade = "panic: redis: use of a zero Backend: make it with New"
	bad := func(name, which string, call func() any, want string) apitest.Row {
		return apitest.Row{Name: name, Case: which, Call: call, Want: want}
	}
	refusal := func(err error) any {
		if errors.Is(err, backends.ErrInvalid) && strings.Contains(err.Error(), "invalid context <nil>") {
			return "refused"
		}
		return err
	}
	option := func(o redis.Option) func() any {
		return func() any { _, err := redis.New(client, o); return err }
	}
	rows := []apitest.Row{
		bad("New", "no client", func() any { _, err := redis.New(nil); return err }, "error: redis: invalid client"),
		bad("WithPrefix", "empty", option(redis.WithPrefix("")), "error: redis: invalid prefix"),
		bad("WithGrace", "negative", option(redis.WithGrace(-1)), "error: redis: invalid grace"),
		bad("WithHeartbeat", "none", option(redis.WithHeartbeat(0)), "error: redis: invalid heartbeat"),
		bad("WithWaitReplicas", "negative", option(redis.WithWaitReplicas(-1, time.Second)), "error: redis: invalid replicas"),
		bad("WithSharedPool", "for New", option(redis.WithSharedPool()), "<nil>"),
		bad("Backend.Capabilities", "zero", func() any { return new(redis.Backend).Capabilities().Name }, "redis"),
		bad("Backend.Start", "zero", func() any { return new(redis.Backend).Start(&op) }, unmade),
		bad("Backend.Start", "nil receiver", func() any { return nobody.Start(&op) }, apitest.NilPointer),
		bad("Backend.Start", "no Granted", func() any {
			return b.Start(&backends.Op{Acquire: []backends.Request{r}})
		}, "panic: redis: an operation needs a callback"),
		bad("Backend.Start", "no Released", func() any {
			return b.Start(&backends.Op{Release: []backends.Grant{g}})
		}, "panic: redis: an operation needs a callback"),
		bad("Backend.Start", "work with a nil context", func() any {
			b.Start(&op)(none)
			return refusal(<-answers)
		}, "refused"),
		bad("Backend.Cancel", "zero", func() any { return new(redis.Backend).Cancel(&op) }, unmade),
		bad("Backend.Cancel", "nil receiver", func() any { return nobody.Cancel(&op) }, apitest.NilPointer),
		bad("Backend.Cancel", "not started", func() any { return b.Cancel(new(backends.Op)) == nil }, "true"),
	}
	for name, call := range map[string]func(b *redis.Backend, ctx context.Context) error{
		"Renew": func(b *redis.Backend, ctx context.Context) error {
			return b.Renew(ctx, []backends.Renewal{{Grant: g, TTL: time.Second}})[0].Err
		},
		"Inspect": func(b *redis.Backend, ctx context.Context) error { _, err := b.Inspect(ctx, "a"); return err },
		"Break":   func(b *redis.Backend, ctx context.Context) error { return b.Break(ctx, "a") },
		"Detach": func(b *redis.Backend, ctx context.Context) error {
			return b.Detach(ctx, backends.Detachment{Grant: g, TTL: time.Second})
		},
		"Adopt": func(b *redis.Backend, ctx context.Context) error {
			_, err := b.Adopt(ctx, backends.Adoption{Request: r})
			return err
		},
		"List": func(b *redis.Backend, ctx context.Context) (err error) {
			for _, err = range b.List(ctx) {
			}
			return err
		},
		"Check": func(b *redis.Backend, ctx context.Context) error { _, err := b.Check(ctx); return err },
		"Close": func(b *redis.Backend, ctx context.Context) error { return b.Close(ctx) },
	} {
		rows = append(rows,
			bad("Backend."+name, "zero", func() any { return call(new(redis.Backend), ctx) }, unmade),
			bad("Backend."+name, "nil receiver", func() any { return call(nobody, ctx) }, apitest.NilPointer),
			bad("Backend."+name, "nil context", func() any { return refusal(call(b, none)) }, "refused"),
		)
	}
	apitest.Run(t, rows, nil)
}
